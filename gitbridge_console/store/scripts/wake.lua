-- Let what waits for a time in a lane go on now. ARGV: lane, how many at most. Returns {how many did, 1 where there may be more}.
local found = look('ZRANGE', T .. ':w:' .. ARGV[1], 0, tonumber(ARGV[2]) - 1)
for n, id in ipairs(found) do
  if n > 1 and is_long() then return {n - 1, 1} end
  lift(id)
  push(id, ARGV[1])
end
return {#found, #found == tonumber(ARGV[2]) and 1 or 0}
