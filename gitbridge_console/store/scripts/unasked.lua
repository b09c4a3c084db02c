-- Which tasks are still to be asked in a lane. ARGV: lane, ids. Returns their ids.
local out = {}
for n = 2, #ARGV do
  local h = hmget(ARGV[n], 'st', 'lane')
  if h[1] and h[1] ~= 'settled' and h[2] == ARGV[1] then out[#out + 1] = ARGV[n] end
end
return out
