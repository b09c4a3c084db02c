-- Accept many events that have all but delivery and payload in common. ARGV: lane, priority, repository key, what their JSON begins with
-- (up to the delivery id, of which JSON has nothing to escape), then delivery, payload pairs. Returns for each its id if it is new, else
-- what `enqueue` returns. While none of the limits can be met by all of them they are taken in at once, otherwise one by one.
local lane, priority, repository, fields, out = ARGV[1], ARGV[2], ARGV[3], ARGV[4], {}
local count, bytes = (#ARGV - 4) / 2, 0
for i = 6, #ARGV, 2 do bytes = bytes + 1024 + #ARGV[i] end
local limit = math.min(bytes_soft > 0 and bytes_soft or math.huge, bytes_hard > 0 and bytes_hard or math.huge)
local roomy = count_undecided() + count <= undecided_max and (limit == math.huge or stored_bytes() + bytes < limit)
local middle = ' ready ' .. lane .. ' received 0 ' .. priority .. ' ' .. NOW_MS .. ' ' .. NOW_MS .. ' ' .. repository .. ' ' .. fields
local place, since = place_now(priority), ' ' .. NOW_MS
local ready, received = {}, {}
bytes = 0

local function write_out()
  if #ready == 0 then return end
  write_values()
  write('ZADD', T .. ':r:' .. lane, ready)
  write('ZADD', RECEIVED, received)
  entered.received = (entered.received or 0) + #ready / 2
  tally(B, 'received', bytes)
  lane_is_known(lane)
  woken[lane] = true
  ready, received, bytes = {}, {}, 0
end

for i = 5, #ARGV, 2 do
  local delivery, payload = ARGV[i], ARGV[i + 1]
  if roomy and not delivered(delivery) then
    local id, size = next_id() .. home, 1024 + #payload
    values[#values + 1] = J .. id
    values[#values + 1] = size .. middle .. delivery .. '"}'
    values[#values + 1] = T .. ':p:' .. id
    values[#values + 1] = payload
    deliveries[delivery] = id
    delivered_now[#delivered_now + 1] = delivery
    delivered_now[#delivered_now + 1] = id .. since
    ready[#ready + 1] = place
    ready[#ready + 1] = id
    received[#received + 1] = NOW_MS
    received[#received + 1] = id
    bytes, undecided = bytes + size, undecided + 1
    out[#out + 1] = id
  else
    -- It may be about one of those before it.
    write_out()
    out[#out + 1] = transitions.enqueue({delivery, lane, priority, repository, fields .. delivery .. '"}', payload})
  end
end
write_out()
return out
