-- Pause or resume a lane. ARGV: "pause" | "resume", lane, until ms from now (0: until resumed), by, reason.
-- Returns the description that was in force before, or "".
local lane = ARGV[2]
local before = redis.call('HGET', T .. ':m', 'pause:' .. lane) or ''
if ARGV[1] == 'pause' then
  local until_ms = tonumber(ARGV[3]) > 0 and int(NOW + tonumber(ARGV[3])) or '0'
  redis.call('HSET', T .. ':m', 'until:' .. lane, until_ms, 'pause:' .. lane,
    cjson.encode({by = ARGV[4], reason = ARGV[5], since = int(NOW), ['until'] = until_ms}))
  redis.call('SADD', T .. ':lanes', lane)
  log('warning', 'paused', lane, ARGV[4] .. ': ' .. ARGV[5])
else
  redis.call('HDEL', T .. ':m', 'until:' .. lane, 'pause:' .. lane)
  redis.call('PUBLISH', T .. ':wake', lane)
  if before ~= '' then log('info', 'resumed', lane, ARGV[4]) end
end
return before
