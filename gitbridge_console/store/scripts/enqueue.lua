-- Accept an event, by what `bounds` said. ARGV: delivery, lane, priority, repository key, other fields of the header as JSON, payload,
-- then pairs: diff; from (id of the event it was edited from); `x:<name>` a field of the texts.
-- Returns {id, "new" | "duplicate" | "requeued" | "shed" | "full" | "over budget", number}; the last two store nothing.
local delivery, lane, priority, payload = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]
local known = delivered(delivery)
local known_state = known and hget(known, 'state')
local dead = known_state == 'failed' or known_state == 'shed'
if known_state and not dead then
  tally(C, 'duplicates', 1)
  log('info', 'duplicate', known, delivery)
  return {known, 'duplicate', 0}
end

local bytes = (bytes_soft > 0 or bytes_hard > 0) and stored_bytes() or 0
if bytes_hard > 0 and bytes >= bytes_hard then
  tally(C, 'refused', 1)
  return {'', 'over budget', bytes}
end

local why
local may_be_shed = shed_from > 0 and priority >= shed_from and not dead
if bytes_soft > 0 and bytes >= bytes_soft and may_be_shed then
  why = 'the store holds ' .. int(bytes) .. ' bytes, over the soft limit'
elseif count_undecided() >= undecided_max then
  local victim, score
  if shed_from > 0 then victim, score = least_urgent() end
  why = int(undecided) .. ' events are undecided, the limit is ' .. int(undecided_max)
  if may_be_shed and (not victim or priority * BAND + NOW >= score) then
    victim = nil
  elseif victim and score > priority * BAND + NOW then
    lift(victim)
    shed(victim, why)
    why = nil
  else
    tally(C, 'refused', 1)
    return {'', 'full', undecided}
  end
end

if dead then
  rerun(known, 'redelivery')
  return {known, 'requeued', 0}
end

local id, size, texts = next_id(), 1024 + #payload, nil
for i = 7, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  if name == 'diff' then
    size = size + #value
    values[#values + 1] = T .. ':f:' .. id
    values[#values + 1] = value
  elseif name == 'from' then
    call('RPUSH', T .. ':v:' .. value, id)
    call('LTRIM', T .. ':v:' .. value, -50, -1)
  else
    texts = texts or {}
    texts[#texts + 1] = sub(name, 3)
    texts[#texts + 1] = value
  end
end
if texts then call('HSET', T .. ':x:' .. id, unpack(texts)) end
values[#values + 1] = T .. ':p:' .. id
values[#values + 1] = payload
fresh[id] = size .. ' ready ' .. lane .. ' received 0 ' .. ARGV[3] .. ' ' .. NOW_MS .. ' ' .. NOW_MS .. ' ' .. ARGV[4] .. ' ' .. ARGV[5]
deliver(delivery, id)
-- As `set_state` and `push` would, for an event of which nothing is there to be read.
zput(RECEIVED, id, NOW_MS)
entered.received = (entered.received or 0) + 1
tally(B, 'received', size)
if undecided then undecided = undecided + 1 end
if why then
  shed(id, why)
  return {id, 'shed', 0}
end
zput(key(':r:', lane), id, place_now(ARGV[3]))
lane_is_known(lane)
woken[lane] = true
return {id, 'new', 0}
