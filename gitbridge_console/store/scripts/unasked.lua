-- Which tasks are still to be asked in a lane. ARGV: lane, ids. Returns 1 or 0 for each, as far as it came.
local out = {}
load({unpack(ARGV, 2)})
for n = 2, #ARGV do
  if n > 2 and is_long() then break end
  local h = hmget(ARGV[n], 'st', 'lane')
  out[#out + 1] = h[1] and h[1] ~= 'settled' and h[2] == ARGV[1] and 1 or 0
end
return out
