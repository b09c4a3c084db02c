-- The holder of a seat is about to ask its provider. ARGV: id, fence. The deadline runs from the first seat that is worked on, and
-- anew when a parked event moves again. Returns the deadline in ms, or 0 when the fence is void or the seat is not wanted any more.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return '0' end
local event = event_of(id)
local h = hmget(event, 'state', 'limit', 'st', 'lane', 'deadline')
if unwanted(id) then return '0' end
if h[1] == 'consensus_pending' and h[5] then return h[5] end
local due = int(NOW + tonumber(h[2]))
hset(event, 'deadline', due)
set_state(event, 'consensus_pending', 'router')
if h[3] == 'waiting' and h[4] == 'decide' then
  zput(T .. ':w:decide', event, due)
  hset(event, 'due', due)
end
return due
