-- Move an event to its next stage, or end it. ARGV: id, fence, lane or "" (end here), delay ms, state, by, why,
-- "cancel" | "keep" (waiting seats), decision JSON or "", action JSON or "", number of header pairs, pairs for the header,
-- then pairs for the text hash. Returns 1, or 0 when the fence is void.
local id, lane, state = ARGV[1], ARGV[3], ARGV[5]
if not holds(id, ARGV[2]) then return 0 end
lift(id)
local pairs_end = 11 + 2 * tonumber(ARGV[11])
for i = 12, pairs_end, 2 do redis.call('HSET', job(id), ARGV[i], ARGV[i + 1]) end
for i = pairs_end + 1, #ARGV, 2 do redis.call('HSET', T .. ':x:' .. id, ARGV[i], ARGV[i + 1]) end
if ARGV[8] == 'cancel' then cancel_tasks(id, false) end
if ARGV[9] ~= '' then
  redis.call('SET', T .. ':n:' .. id, ARGV[9])
  redis.call('XADD', T .. ':dn', 'MAXLEN', '~', LOG_MAX, '*', 'e', id)
  local made = redis.call('HMGET', job(id), 'decided', 'split')
  if made[1] then redis.call('HINCRBY', T .. ':c', 'decided:' .. made[1], 1) end
  if made[2] == '1' then redis.call('HINCRBY', T .. ':c', 'decided:split', 1) end
end
if ARGV[10] ~= '' then redis.call('SET', T .. ':o:' .. id, ARGV[10]) end
if lane == '' then
  redis.call('HSET', job(id), 'st', 'settled')
  redis.call('HDEL', job(id), 'f', 'due')
elseif lane == 'decide' and (tonumber(redis.call('HGET', job(id), 'left')) or 1) <= 0 then
  -- The last seat came in while this was being decided to wait for it.
  push(id, lane)
elseif tonumber(ARGV[4]) > 0 then
  redis.call('HINCRBY', job(id), 'dv', -1)
  wait_until(id, lane, NOW + tonumber(ARGV[4]))
else
  redis.call('HSET', job(id), 'dv', 0)
  push(id, lane)
end
set_state(id, state, ARGV[6], ARGV[7])
if state == 'failed' then log('error', 'failed', id, ARGV[7]) elseif lane == '' then log('info', state, id, ARGV[7]) end
return 1
