-- Accept many events that have all but delivery and payload in common. ARGV: lane, priority, repository key, what their JSON begins with
-- (up to the delivery id, of which JSON has nothing to escape), all payloads in one piece, then pairs: delivery, length of its payload.
-- Returns for each its id if it is new, else what `enqueue` returns, or LEFT from the first on that there is no time for. While none of
-- the limits can be met by all of them they are taken in at once, otherwise one by one.
local lane, priority, repository, fields, payloads, out = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], {}
local count = (#ARGV - 5) / 2
local most = 1024 * count + #payloads
local limit = math.min(bytes_soft > 0 and bytes_soft or math.huge, bytes_hard > 0 and bytes_hard or math.huge)
local roomy = count_undecided() + count <= undecided_max and (limit == math.huge or stored_bytes() + most < limit)
local middle = ' ready ' .. lane .. ' received 0 ' .. priority .. ' ' .. NOW_MS .. ' ' .. NOW_MS .. ' ' .. repository .. ' ' .. fields
local place, since = place_now(priority), ' ' .. NOW_MS
local payload_key, sizes, at = T .. ':p:', {}, 1 -- sizes as text, by length of the payload: that takes longer than to look it up

-- Those taken in at once and not written yet, and their size. They are written between two looks at the clock: that is most of what there
-- is to do, and takes three times as long while a table of the server grows, and ten times after a fork, when each page that is written to is
-- copied. So the first few are written by themselves, and where that took long the others are as well. What is left has no more time than
-- they had.
local taken, bytes, slow = 0, 0, false
local SLOW = 0.15 -- share of a call's time
local all_values, all_delivered, all_ready, all_entries = scratch.values, scratch.delivered, scratch.ready, scratch.entries

local function write_out()
  if taken > 0 then
    undecided = undecided + taken
    write_values(all_values, 4 * taken)
    if bytes > ALL_BYTES_MAX then
      all_values = {}
      scratch.values = all_values
    end
    write_deliveries(all_delivered, 2 * taken)
    write('ZADD', key(':r:', lane), all_ready, 1, 2 * taken)
    write('ZADD', RECEIVED, all_entries, 1, 2 * taken)
    entered.received = (entered.received or 0) + taken
    tally(B, 'received', bytes)
    lane_is_known(lane)
    woken[lane] = true
  end
  taken, bytes = 0, 0
end

for n = 1, count do
  if n % PIECE == 1 and n > 1 then
    if slow or n == PIECE + 1 or n % (2 * PIECE) == 1 then write_out() end
    if n == PIECE + 1 then slow = processor_s() - begun_s >= limit_s * SLOW end
    if is_long(0.5) then
      for left = n, count do out[left] = LEFT end
      break
    end
  end
  local delivery, length = ARGV[4 + 2 * n], ARGV[5 + 2 * n]
  local payload = sub(payloads, at, at + length - 1)
  at = at + length
  local known = deliveries[delivery]
  if known == nil then known = delivered(delivery) end
  if roomy and not known then
    local id, two = next_id(), 2 * taken
    local size = sizes[length]
    if not size then
      size = int(1024 + length)
      sizes[length] = size
    end
    local four = 2 * two
    all_values[four + 1], all_values[four + 2] = J .. id, size .. middle .. delivery .. '"}'
    all_values[four + 3], all_values[four + 4] = payload_key .. id, payload
    deliveries[delivery] = id
    all_delivered[two + 1], all_delivered[two + 2] = delivery, id .. since
    all_ready[two + 1], all_ready[two + 2] = place, id
    all_entries[two + 1], all_entries[two + 2] = NOW_MS, id
    taken, bytes, out[n] = taken + 1, bytes + 1024 + length, id
  else
    -- It may be about one of those before it.
    write_out()
    out[n] = transitions.enqueue({delivery, lane, priority, repository, fields .. delivery .. '"}', payload})
  end
end
write_out()
return out
