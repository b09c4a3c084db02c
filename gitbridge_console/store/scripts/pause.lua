-- Pause or resume a lane. ARGV: "pause" | "resume", lane, ms from now (0: until resumed), by, reason.
-- Returns the description that was in force before, or "".
local lane = ARGV[2]
local before = call('HGET', M, 'pause:' .. lane) or ''
if ARGV[1] == 'pause' then
  local until_ms = tonumber(ARGV[3]) > 0 and int(NOW + tonumber(ARGV[3])) or '0'
  call('HSET', M, 'until:' .. lane, until_ms, 'pause:' .. lane,
    cjson.encode({by = ARGV[4], reason = ARGV[5], since = NOW_MS, ['until'] = until_ms}))
  lane_is_known(lane)
  log('warning', 'paused', lane, ARGV[4] .. ': ' .. ARGV[5])
else
  call('HDEL', M, 'until:' .. lane, 'pause:' .. lane)
  woken[lane] = true
  if before ~= '' then log('info', 'resumed', lane, ARGV[4]) end
end
return before
