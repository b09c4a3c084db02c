-- Pause, drain or resume a lane. ARGV: "pause" | "drain" (no new seats, what waits is finished) | "resume" (ends both), lane,
-- ms from now (of a pause; 0: until resumed), by, reason. Returns the description that was in force before, or "".
local lane = ARGV[2]
local h = call('HMGET', M, 'pause:' .. lane, 'drain:' .. lane)
local about = {by = ARGV[4], reason = ARGV[5], since = NOW_MS}
if ARGV[1] == 'resume' then
  call('HDEL', M, 'until:' .. lane, 'pause:' .. lane, 'drain:' .. lane)
  woken[lane] = true
  if h[1] or h[2] then log('info', 'resumed', lane, ARGV[4]) end
  return h[1] or h[2] or ''
end
lane_is_known(lane)
if ARGV[1] == 'drain' then
  call('HSET', M, 'drain:' .. lane, cjson.encode(about))
  log('warning', 'draining', lane, ARGV[4] .. ': ' .. ARGV[5])
  return h[2] or ''
end
about['until'] = tonumber(ARGV[3]) > 0 and int(NOW + tonumber(ARGV[3])) or '0'
call('HSET', M, 'until:' .. lane, about['until'], 'pause:' .. lane, cjson.encode(about))
log('warning', 'paused', lane, ARGV[4] .. ': ' .. ARGV[5])
return h[1] or ''
