-- Hand a job back. ARGV: id, fence, delay ms, "counted" or "uncounted", reason, deliveries after which a job is given up.
-- Returns 1, or 0 when the fence is void.
local id = ARGV[1]
local lane = take(id, ARGV[2])
if not lane then return 0 end
local most = tonumber(ARGV[6])
if ARGV[4] == 'uncounted' then
  call('HINCRBY', J .. id, 'dv', -1)
  most = math.huge
end
take_back(id, lane, most, tonumber(ARGV[3]), ARGV[5])
return 1
