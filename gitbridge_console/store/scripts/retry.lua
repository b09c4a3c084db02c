-- An attempt failed and the task goes on. ARGV: id, fence, attempt JSON, delay ms (same provider), verdict, event log text,
-- then the providers it may fail over to, best first; none: it stays. A provider that sits on another seat of the panel is passed over.
-- Returns the lane it waits in now, "" when failing over was asked but no provider is free, or false when the fence is void.
local id = ARGV[1]
local event = event_of(id)
if ARGV[3] ~= '' and redis.call('EXISTS', job(id)) == 1 then
  redis.call('RPUSH', T .. ':t:' .. id, ARGV[3])
  redis.call('LTRIM', T .. ':t:' .. id, -64, -1)
end
if not holds(id, ARGV[2]) then return false end
local here = redis.call('HGET', job(id), 'lane')
if unwanted(id) then
  settle(id, 'cancelled')
  return here
end
local target = here
if #ARGV > 6 then
  local taken = {}
  for _, other in ipairs(tasks_of_run(event)) do
    if other ~= id then
      local h = redis.call('HMGET', job(other), 'lane', 'state')
      if h[2] ~= 'failed' and h[2] ~= 'cancelled' then taken[h[1]] = true end
    end
  end
  target = nil
  for i = 7, #ARGV do
    if not taken[ARGV[i]] then target = ARGV[i] break end
  end
end
if ARGV[3] ~= '' then
  redis.call('HINCRBY', job(id), 'ca', 1)
  redis.call('HINCRBY', job(id), 'ca:' .. here, 1)
end
if not target then return '' end
lift(id)
local delay = target == here and tonumber(ARGV[4]) or 0
redis.call('HSET', job(id), 'state', delay > 0 and 'waiting' or 'queued')
if ARGV[6] ~= '' then log('warning', ARGV[5], id, ARGV[6]) end
if target ~= here then note(event, 'seat ' .. id .. ' moves from ' .. here .. ' to ' .. target, 'router') end
if delay > 0 then wait_until(id, target, NOW + delay) else push(id, target) end
return target
