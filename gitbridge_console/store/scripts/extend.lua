-- Prolong leases. ARGV: lease ms, then id, fence pairs. Returns 1 (held) or 0 (lost or cancelled: stop working) for each.
local out = {}
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  if holds(id, ARGV[i + 1]) then
    redis.call('ZADD', T .. ':l:' .. redis.call('HGET', job(id), 'lane'), 'XX', int(NOW + tonumber(ARGV[1])), id)
    out[#out + 1] = 1
  else
    out[#out + 1] = 0
  end
end
return out
