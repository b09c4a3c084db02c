-- A task is done. ARGV: id, fence, state (succeeded | failed | cancelled), attempt JSON or "", answer JSON or "", error class or "",
-- "vote" | "none", event log text. The answer is stored by the script that counts the panel down, so one that was paid for is never lost.
-- Returns 1, or 0 when the fence is void (the attempt is recorded all the same: it cost money).
local id = ARGV[1]
if ARGV[4] ~= '' and redis.call('EXISTS', job(id)) == 1 then
  redis.call('RPUSH', T .. ':t:' .. id, ARGV[4])
  redis.call('LTRIM', T .. ':t:' .. id, -64, -1)
end
if not holds(id, ARGV[2]) then return 0 end
if ARGV[4] ~= '' then
  redis.call('HINCRBY', job(id), 'ca', 1)
  redis.call('HINCRBY', job(id), 'ca:' .. redis.call('HGET', job(id), 'lane'), 1)
end
if ARGV[5] ~= '' then redis.call('SET', T .. ':a:' .. id, ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', job(id), 'err', ARGV[6]) end
settle(id, ARGV[3])
note(event_of(id), 'seat ' .. id .. ' ' .. ARGV[3] .. (ARGV[6] ~= '' and (': ' .. ARGV[6]) or ''), redis.call('HGET', job(id), 'lane'))
if ARGV[8] ~= '' then log(ARGV[3] == 'failed' and 'error' or 'info', ARGV[3], id, ARGV[8]) end
count_down(id, ARGV[7] == 'vote')
return 1
