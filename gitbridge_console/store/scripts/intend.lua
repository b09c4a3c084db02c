-- Say what is about to be done outside for an event, or what became of it, while its fence still holds. ARGV: id, fence, key of its marker
-- or "", ms for which a call with that marker may be under way (0: none is), action JSON.
-- Returns 0; ms to wait while somebody else's call with the marker may be under way; or -1 when the fence is void. Only with 0 something
-- was written. The bytes are counted when the event is handed on.
local id, its_fence, hold = ARGV[1], ARGV[2], tonumber(ARGV[4])
if not holds(id, its_fence) then return -1 end
if ARGV[3] ~= '' then
  local key = T .. ':i:' .. ARGV[3]
  local holder = call('GET', key)
  if holder and holder ~= its_fence then return math.max(1, call('PTTL', key)) end
  if hold > 0 then call('SET', key, its_fence, 'PX', ARGV[4]) else call('DEL', key) end
end
call('SET', T .. ':o:' .. id, ARGV[5])
return 0
