-- Accept many events that have all but delivery and payload in common. ARGV: lane, priority, repository key, what their JSON begins with
-- (up to the delivery id, of which JSON has nothing to escape), then delivery, payload pairs. Returns for each its id if it is new, else
-- what `enqueue` returns, or LEFT from the first on that there is no time for. While none of the limits can be met by all of them they are
-- taken in at once, otherwise one by one.
local lane, priority, repository, fields, out = ARGV[1], ARGV[2], ARGV[3], ARGV[4], {}
local count, most = (#ARGV - 4) / 2, 0
for i = 6, #ARGV, 2 do most = most + 1024 + #ARGV[i] end
local limit = math.min(bytes_soft > 0 and bytes_soft or math.huge, bytes_hard > 0 and bytes_hard or math.huge)
local roomy = count_undecided() + count <= undecided_max and (limit == math.huge or stored_bytes() + most < limit)
local middle = ' ready ' .. lane .. ' received 0 ' .. priority .. ' ' .. NOW_MS .. ' ' .. NOW_MS .. ' ' .. repository .. ' ' .. fields
local place, since = place_now(priority), ' ' .. NOW_MS

-- Those taken in at once and not written yet: how many, their size, their places; and what was to be written before them.
local taken, bytes, ready, received = 0, 0, {}, {}
local values_before, delivered_before = #values, #delivered_now

local function write_out()
  if taken > 0 then
    undecided = undecided + taken
    write_values()
    write('ZADD', T .. ':r:' .. lane, ready)
    write('ZADD', RECEIVED, received)
    entered.received = (entered.received or 0) + taken
    tally(B, 'received', bytes)
    lane_is_known(lane)
    woken[lane] = true
  end
  taken, bytes, ready, received = 0, 0, {}, {}
end

for n = 1, count do
  if n % PIECE == 1 and n > 1 and is_long() then
    for left = n, count do out[left] = LEFT end
    break
  end
  local delivery, payload = ARGV[3 + 2 * n], ARGV[4 + 2 * n]
  local known = deliveries[delivery]
  if known == nil then known = delivered(delivery) end
  if roomy and not known then
    local id, size, two = next_id() .. home, 1024 + #payload, 2 * taken
    -- By their number: the length of a table would be searched for.
    local v, d = values_before + 2 * two, delivered_before + two
    values[v + 1], values[v + 2] = J .. id, size .. middle .. delivery .. '"}'
    values[v + 3], values[v + 4] = T .. ':p:' .. id, payload
    deliveries[delivery] = id
    delivered_now[d + 1], delivered_now[d + 2] = delivery, id .. since
    ready[two + 1], ready[two + 2] = place, id
    received[two + 1], received[two + 2] = NOW_MS, id
    taken, bytes, out[n] = taken + 1, bytes + size, id
  else
    -- It may be about one of those before it.
    write_out()
    out[n] = transitions.enqueue({delivery, lane, priority, repository, fields .. delivery .. '"}', payload})
    values_before, delivered_before = #values, #delivered_now
  end
end
write_out()
return out
