-- Let what waits for a time in a lane go on now. ARGV: lane, how many at most. Returns how many did.
local found = look('ZRANGE', T .. ':w:' .. ARGV[1], 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(found) do
  lift(id)
  push(id, ARGV[1])
end
return #found
