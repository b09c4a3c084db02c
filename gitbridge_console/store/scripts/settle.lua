-- A task is done. ARGV: id, fence, state (succeeded | failed | cancelled), attempt JSON or "", answer JSON or "", error class or "",
-- "vote" | "none", event log text. The answer is stored by the script that counts the panel down, so one that was paid for is never lost.
-- Returns 1, or 0 when the fence is void (the attempt is recorded all the same: it cost money).
local id = ARGV[1]
local booked = book(id, ARGV[4])
if not holds(id, ARGV[2]) then return 0 end
if ARGV[5] ~= '' then call('SET', T .. ':a:' .. id, ARGV[5]) end
local lane = take(id, ARGV[2])
if booked then
  hincrby(id, 'ca', 1)
  hincrby(id, 'ca:' .. lane, 1)
end
grow(event_of(id), #ARGV[5])
if ARGV[6] ~= '' then hset(id, 'err', ARGV[6]) end
hset(id, 'st', 'settled', 'state', ARGV[3])
note(event_of(id), 'seat ' .. id .. ' ' .. ARGV[3] .. (ARGV[6] ~= '' and (': ' .. ARGV[6]) or ''), lane)
if ARGV[8] ~= '' then log(ARGV[3] == 'failed' and 'error' or 'info', ARGV[3], id, ARGV[8]) end
seat_ends(id, lane, ARGV[3], ARGV[7] == 'vote')
return 1
