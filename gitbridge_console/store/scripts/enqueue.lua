-- Accept an event. ARGV: delivery, delivery ttl ms, lane, priority, "pin" (the priority was asked for: routing leaves it) | "",
-- type, action, source, repository key, payload, diff, partition, id it was edited from | "", most undecided events, soft and hard
-- limit in bytes (0: none), least priority that may be shed, then pairs for the text hash.
-- Returns {id, "new" | "duplicate" | "requeued" | "shed" | "full" | "over budget", number}; the last two store nothing.
local delivery, lane, priority = ARGV[1], ARGV[3], tonumber(ARGV[4])
local most, soft, hard, shed_from = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])

local known = call('GET', T .. ':d:' .. delivery)
local known_state = known and call('HGET', J .. known, 'state')
local dead = known_state == 'failed' or known_state == 'shed'
if known_state and not dead then
  tally(C, 'duplicates', 1)
  log('info', 'duplicate', known, delivery)
  return {known, 'duplicate', 0}
end

local bytes = (soft > 0 or hard > 0) and stored_bytes() or 0
if hard > 0 and bytes >= hard then
  tally(C, 'refused', 1)
  return {'', 'over budget', bytes}
end

-- Of what nobody works on yet, the newest of the least urgent class; an older or more urgent event is never put aside for a newer one.
local function least_urgent()
  write_arrivals()
  local found, worst = nil, -1
  for _, name in ipairs(call('SMEMBERS', T .. ':lanes')) do
    local tail = call('ZREVRANGEBYSCORE', T .. ':r:' .. name, '+inf', int(shed_from * BAND), 'WITHSCORES', 'LIMIT', 0, 10)
    for i = 1, #tail, 2 do
      local event, score = event_of(tail[i]), tonumber(tail[i + 1])
      local state = call('HGET', J .. event, 'state')
      if score > worst and (state == 'received' or state == 'routed' or state == 'parked') then found, worst = event, score end
    end
  end
  return found, worst
end

local why
local may_be_shed = shed_from > 0 and priority >= shed_from and not dead
if soft > 0 and bytes >= soft and may_be_shed then
  why = 'the store holds ' .. int(bytes) .. ' bytes, over the soft limit'
elseif count_undecided() >= most then
  local victim, score
  if shed_from > 0 then victim, score = least_urgent() end
  why = int(undecided) .. ' events are undecided, the limit is ' .. int(most)
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

local id = next_id() .. ARGV[12]
local size = 1024 + #ARGV[10] + #ARGV[11]
local header = {'pr', ARGV[4], 'ms', NOW_MS, 'rx', NOW_MS, 'ty', ARGV[6], 'src', ARGV[8], 'sz', size, 'st', 'ready', 'lane', lane,
  'state', 'received'}
local function add(name, value) header[#header + 1] = name header[#header + 1] = value end
if ARGV[7] ~= '' then add('ac', ARGV[7]) end
if ARGV[9] ~= '' then add('rp', ARGV[9]) end
if ARGV[5] == 'pin' then add('pin', 1) end
-- Short, as they are, delivery ids stand in the header; a longer one would make every header larger.
if #delivery <= 64 then add('dl', delivery) else call('HSET', T .. ':x:' .. id, 'delivery', delivery) end
if ARGV[11] ~= '' then
  add('df', 1)
  call('SET', T .. ':f:' .. id, ARGV[11])
end
if ARGV[13] ~= '' then
  add('from', ARGV[13])
  call('RPUSH', T .. ':v:' .. ARGV[13], id)
  call('LTRIM', T .. ':v:' .. ARGV[13], -50, -1)
end
call('HSET', J .. id, unpack(header))
call('SET', T .. ':p:' .. id, ARGV[10])
if #ARGV > 17 then call('HSET', T .. ':x:' .. id, unpack(ARGV, 18)) end
call('SET', T .. ':d:' .. delivery, id, 'PX', ARGV[2])
-- As `set_state` and `push` would, for an event of which nothing is there to be read.
entered[id] = 'received'
tally(C, 'to:received', 1)
tally(B, 'received', size)
if undecided then undecided = undecided + 1 end
if why then
  shed(id, why)
  return {id, 'shed', 0}
end
arrive(lane, int(priority * BAND + NOW), id)
lane_is_known(lane)
woken[lane] = true
return {id, 'new', 0}
