-- Hand a job back. ARGV: id, fence, delay ms, "counted", "uncounted", "batched" (uncounted: its question goes with a batch) or "parked"
-- (uncounted: its provider cannot be asked now, which the event says while none of its seats was asked), reason, deliveries after which a job is given up, ms until it can be asked (-1: not known).
-- Returns 1, or 0 when the fence is void.
local id = ARGV[1]
local lane = take(id, ARGV[2])
if not lane then return 0 end
local most = tonumber(ARGV[6])
if ARGV[4] ~= 'counted' then
  hincrby(id, 'dv', -1)
  most = math.huge
end
if ARGV[4] == 'parked' then
  park(id, ARGV[5], tonumber(ARGV[7]))
  take_back(id, lane, most, tonumber(ARGV[3]), '')
else
  take_back(id, lane, most, tonumber(ARGV[3]), ARGV[5])
  local h = hmget(id, 'st', 'due')
  if ARGV[4] == 'batched' and h[1] == 'waiting' then hset(id, 'bt', h[2]) end
end
return 1
