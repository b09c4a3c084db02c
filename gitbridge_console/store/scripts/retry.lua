-- An attempt failed, or none was possible, and the task goes on. ARGV: id, fence, attempt JSON or "", delay ms (same provider), verdict,
-- event log text, then the providers it may fail over to, best first; none: it stays. A provider that sits on another seat of the panel
-- is passed over. Without an attempt the claim does not count as a delivery.
-- While its other half is at work, a seat is not tried again: that one goes on alone.
-- Returns the lane it waits in now, "" when failing over was asked but no provider is free (it is still held), false when the fence is void.
local id = ARGV[1]
local event = event_of(id)
local booked = book(id, ARGV[3])
local here = holds(id, ARGV[2])
if not here then return false end
if booked then
  hincrby(id, 'ca', 1)
  hincrby(id, 'ca:' .. here, 1)
end
if unwanted(id) then
  settle(id, 'cancelled')
  return here
end
local other = other_half(id)
if other then
  settle(id, 'failed')
  leave_to(other, id, here)
  return here
end
local target = here
if #ARGV > 6 then
  local taken = lanes_taken(id)
  target = nil
  for i = 7, #ARGV do
    if not taken[ARGV[i]] then target = ARGV[i] break end
  end
end
if not target then return '' end
lift(id)
if ARGV[3] == '' then hincrby(id, 'dv', -1) end
local delay = target == here and tonumber(ARGV[4]) or 0
hset(id, 'state', delay > 0 and 'waiting' or 'queued')
if ARGV[6] ~= '' then log('warning', ARGV[5], id, ARGV[6]) end
if target ~= here then note(event, 'seat ' .. id .. ' moves from ' .. here .. ' to ' .. target, 'router') end
if delay > 0 then wait_until(id, target, NOW + delay) else push(id, target) end
return target
