-- Let what waits for a time in a lane go on now. ARGV: lane, how many at most. Returns how many did.
local waiting = T .. ':w:' .. ARGV[1]
local found = call('ZRANGE', waiting, 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(found) do
  call('ZREM', waiting, id)
  push(id, ARGV[1])
end
return #found
