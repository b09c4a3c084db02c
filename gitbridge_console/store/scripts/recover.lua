-- Take back expired leases, at most ARGV[1] a lane. ARGV: limit, deliveries after which a job is given up.
-- Priority and age are kept. Returns {recovered, buried}.
local recovered, buried = 0, 0
for _, lane in ipairs(redis.call('SMEMBERS', T .. ':lanes')) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', T .. ':l:' .. lane, '-inf', int(NOW), 'LIMIT', 0, tonumber(ARGV[1]))) do
    redis.call('ZREM', T .. ':l:' .. lane, id)
    local deliveries = tonumber(redis.call('HGET', job(id), 'dv')) or 0
    local event = event_of(id)
    if is_task(id) and unwanted(id) then
      settle(id, 'cancelled')
    elseif deliveries < tonumber(ARGV[2]) then
      if is_task(id) then redis.call('HSET', job(id), 'state', 'queued') end
      note(event, (is_task(id) and ('seat ' .. id) or 'event') .. ' taken back: its lease ran out', lane)
      log('warning', 'recovered', id, lane)
      push(id, lane)
      recovered = recovered + 1
    elseif is_task(id) then
      redis.call('HSET', job(id), 'err', 'poison')
      settle(id, 'failed')
      note(event, 'seat ' .. id .. ' given up after ' .. deliveries .. ' deliveries', lane)
      log('error', 'poison', id, lane)
      count_down(id, false)
      buried = buried + 1
    else
      lift(event)
      cancel_tasks(event, true)
      fail_event(event, 'poison', 'ERR_ROUTING_010', 'given up after ' .. deliveries .. ' deliveries in lane ' .. lane, lane)
      buried = buried + 1
    end
  end
end
return {recovered, buried}
