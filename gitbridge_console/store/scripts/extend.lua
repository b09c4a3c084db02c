-- Prolong leases. ARGV: lease ms, then id, fence pairs. Returns 1 (held) or 0 (lost or cancelled: stop working) for each.
local out, until_ms = {}, int(NOW + tonumber(ARGV[1]))
for i = 2, #ARGV, 2 do
  local lane = holds(ARGV[i], ARGV[i + 1])
  if lane then of(leases, lane)[ARGV[i]] = until_ms end
  out[#out + 1] = lane and 1 or 0
end
return out
