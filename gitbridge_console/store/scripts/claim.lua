-- Claim up to N jobs of a lane under a lease. ARGV: lane, n, lease ms.
-- Returns {paused, ms until the next waiting job is due or -1, now, job...}; a job is {id, fence, header, payload, diff, event header}.
local lane, n, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', T .. ':w:' .. lane, '-inf', int(NOW), 'LIMIT', 0, 100)) do
  redis.call('ZREM', T .. ':w:' .. lane, id)
  push(id, lane)
end
local first = redis.call('ZRANGE', T .. ':w:' .. lane, 0, 0, 'WITHSCORES')
local out = {0, first[2] and math.max(0, tonumber(first[2]) - NOW) or -1, int(NOW)}

local until_ms = redis.call('HGET', T .. ':m', 'until:' .. lane)
if until_ms then
  if until_ms == '0' or tonumber(until_ms) > NOW then
    out[1] = 1
    return out
  end
  redis.call('HDEL', T .. ':m', 'until:' .. lane, 'pause:' .. lane)
  log('info', 'resumed', lane, 'its pause ended')
end

local popped = redis.call('ZPOPMIN', T .. ':r:' .. lane, n)
for i = 1, #popped, 2 do
  local id = popped[i]
  local fence = next_fence()
  redis.call('HSET', job(id), 'st', 'leased', 'f', fence)
  redis.call('HINCRBY', job(id), 'dv', 1)
  redis.call('ZADD', T .. ':l:' .. lane, int(NOW + lease), id)
  local event, event_header = event_of(id), {}
  if is_task(id) then
    redis.call('HSET', job(id), 'state', 'in_progress')
    -- The deadline runs from the first seat that is worked on, and anew when a parked event moves again.
    local h = redis.call('HMGET', job(event), 'state', 'limit', 'st', 'lane', 'votes')
    if h[1] == 'routed' or h[1] == 'parked' then
      local due = int(NOW + tonumber(h[2]))
      redis.call('HSET', job(event), 'deadline', due)
      set_state(event, 'consensus_pending', 'router')
      if h[3] == 'waiting' and h[4] == 'decide' then
        redis.call('ZADD', T .. ':w:decide', due, event)
        redis.call('HSET', job(event), 'due', due)
      end
    end
    event_header = redis.call('HGETALL', job(event))
  end
  out[#out + 1] = {id, fence, redis.call('HGETALL', job(id)), redis.call('GET', T .. ':p:' .. event) or '',
    redis.call('GET', T .. ':f:' .. event) or '', event_header}
end
return out
