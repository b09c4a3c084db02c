-- Prolong leases. ARGV: lease ms, then id, fence pairs. Returns 1 (held) or 0 (lost or cancelled: stop working) for each.
local out, until_ms, ids = {}, int(NOW + tonumber(ARGV[1])), {}
for i = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
load(ids)
for i = 2, #ARGV, 2 do
  local lane = holds(ARGV[i], ARGV[i + 1])
  if lane then zput(T .. ':l:' .. lane, ARGV[i], until_ms) end
  out[#out + 1] = lane and 1 or 0
end
return out
