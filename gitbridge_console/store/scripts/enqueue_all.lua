-- Accept many events that have all but delivery and payload in common. ARGV: lane, priority, repository key, what their JSON begins with
-- (up to the delivery id, of which JSON has nothing to escape), then delivery, payload pairs. Returns for each its id if it is new, else
-- what `enqueue` returns. While none of the limits can be met by all of them they are taken in at once, otherwise one by one.
local lane, priority, repository, fields, out = ARGV[1], ARGV[2], ARGV[3], ARGV[4], {}
local count, bytes = (#ARGV - 4) / 2, 0
for i = 6, #ARGV, 2 do bytes = bytes + 1024 + #ARGV[i] end
local limit = math.min(bytes_soft > 0 and bytes_soft or math.huge, bytes_hard > 0 and bytes_hard or math.huge)
local roomy = count_undecided() + count <= undecided_max and (limit == math.huge or stored_bytes() + bytes < limit)
local place, ready, received = place_now(priority), of(sets, T .. ':r:' .. lane), of(sets, RECEIVED)
local middle = ' ready ' .. lane .. ' received 0 ' .. priority .. ' ' .. NOW_MS .. ' ' .. NOW_MS .. ' ' .. repository .. ' ' .. fields
local since, taken = ' ' .. NOW_MS, 0
bytes, pending_sets = 0, true
for i = 5, #ARGV, 2 do
  local delivery, payload = ARGV[i], ARGV[i + 1]
  if roomy and not delivered(delivery) then
    local id, size = next_id() .. home, 1024 + #payload
    fresh[id] = size .. middle .. delivery .. '"}'
    values[#values + 1] = T .. ':p:' .. id
    values[#values + 1] = payload
    deliveries[delivery] = id
    delivered_now[#delivered_now + 1] = delivery
    delivered_now[#delivered_now + 1] = id .. since
    ready[id], received[id] = place, NOW_MS
    bytes, taken, undecided = bytes + size, taken + 1, undecided + 1
    out[#out + 1] = id
  else
    -- What is dead is requeued, and so changes what all of this goes by.
    out[#out + 1] = transitions.enqueue({delivery, lane, priority, repository, fields .. delivery .. '"}', payload})
    ready, received = of(sets, T .. ':r:' .. lane), of(sets, RECEIVED)
  end
end
if taken > 0 then
  entered.received = (entered.received or 0) + taken
  tally(B, 'received', bytes)
  lane_is_known(lane)
  woken[lane] = true
end
return out
