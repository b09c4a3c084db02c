-- The lock of whoever exports dead letters. A script, since at the memory limit a plain SET is refused, and the export makes room.
-- ARGV: "hold" (take or prolong) | "leave", owner token, ttl ms. Returns 1, or 0 when somebody else has it.
local key = T .. ':dl'
local owner = call('GET', key)
if ARGV[1] == 'leave' then
  return owner == ARGV[2] and call('DEL', key) or 0
end
if owner and owner ~= ARGV[2] then return 0 end
call('SET', key, ARGV[2], 'PX', ARGV[3])
return 1
