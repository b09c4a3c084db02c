-- What the transitions have in common, on top of `_work.lua`.
local BAND = 8796093022208 -- 2^43: milliseconds fit below it, priorities (0..1023) above
local ATTEMPTS_MAX = 64
local UNDECIDED = {received = 1, routed = 1, parked = 1, consensus_pending = 1}

local function event_of(id) return match(id, '^[^.]+') end

-- Have the records of jobs and of their events at hand, and of all the seats of these.
local function load_all(ids)
  local wanted, seats = {}, {}
  for _, id in ipairs(ids) do
    wanted[#wanted + 1] = id
    if is_task(id) then wanted[#wanted + 1] = event_of(id) end
  end
  load(wanted)
  for _, id in ipairs(wanted) do
    if not is_task(id) then
      for n = 1, tonumber(hget(id, 'tasks')) or 0 do seats[#seats + 1] = id .. '.' .. n end
    end
  end
  load(seats)
end

-- Goes through jobs, from `first` on, with the records of the next few of them, of their events and of all the seats of these at hand, for as
-- long as there is time; the first is always gone to.
local function in_pieces(ids, first)
  local n = first - 1
  return function()
    n = n + 1
    if n > #ids or (n > first and is_long()) then return nil end
    if (n - first) % PIECE == 0 then load_all({unpack(ids, n, math.min(#ids, n + PIECE - 1))}) end
    return ids[n]
  end
end

local woken, left, lost, known_lanes, entered, ahead
local fence, seq, seq_known, undecided

-- Monotone even after a failover to a replica with a stale counter: never below the clock in microseconds. What one claim gives out
-- shares a fence: no two claims of a job have the same.
local function next_fence()
  if not fence then fence = math.max(tonumber(call('HGET', M, 'fence')) or 0, now[1] * 1000000 + now[2] - 1) end
  fence = fence + 1
  return int(fence)
end

-- Eight digits or more, of which the last two are looked up and those before them stay for 256 ids: to format them takes longer.
local home, last_digits, high, first_digits = '', {}, nil, nil

-- The first of a script is taken from the counter at once; of many the counter learns at the end.
local function next_id()
  seq, seq_known = seq and seq + 1 or call('HINCRBY', M, 'seq', 1), seq == nil
  local low = seq % 256
  if high ~= seq - low then
    high = seq - low
    first_digits = format('%06x', high / 256)
  end
  local digits = last_digits[low]
  if not digits then
    digits = format('%02x', low)
    last_digits[low] = digits
  end
  return first_digits .. digits .. home
end

local function lane_is_known(lane)
  if not known_lanes[lane] then
    known_lanes[lane] = true
    call('SADD', T .. ':lanes', lane)
  end
end

-- The one way back into a lane: priority and age come from the header and so survive every detour.
local function push(id, lane)
  local h = whole(record(id))
  h.st, h.lane = 'ready', lane
  changed[id] = true
  zput(key(':r:', lane), id, int(h.pr * BAND + h.ms))
  lane_is_known(lane)
  woken[lane] = true
end

-- A place at the front of a class: older than anything real; a later one goes before an earlier one.
local function front_place() return int(1000000000 - call('HINCRBY', M, 'bump', 1)) end

-- Whoever waits for a lane looks by itself so often, and then knows what is due next; what is due sooner has to be told.
local LOOK_EVERY_MS = 1000
local function due_at(lane, due)
  if due < NOW + LOOK_EVERY_MS then left[lane] = true end
end

local function wait_until(id, lane, due)
  hset(id, 'st', 'waiting', 'lane', lane, 'due', int(due))
  zput(T .. ':w:' .. lane, id, int(due))
  lane_is_known(lane)
  due_at(lane, due)
end

-- The time a batch is waited until is noted with the task: one that waits for another reason since has another.
local function waits_for_batch(id)
  local h = hmget(id, 'st', 'bt', 'due')
  return h[1] == 'waiting' and h[2] and h[2] == h[3]
end

-- Jobs of one repository over its cap stand apart, never at the head of the lane: `g:<lane>:<repository>`, in the lane's order.
local function hold(id, lane, repository, score)
  hset(id, 'st', 'held', 'lane', lane)
  zput(T .. ':g:' .. lane .. ':' .. repository, id, score)
  call('SADD', T .. ':held', lane .. ' ' .. repository)
end

local function let_one_go(lane, repository)
  local key = T .. ':g:' .. lane .. ':' .. repository
  local id = look('ZPOPMIN', key)[1]
  if id then push(id, lane) end
  if call('EXISTS', key) == 0 then call('SREM', T .. ':held', lane .. ' ' .. repository) end
  return id
end

-- The end of a lease; what its repository's cap held back may go on.
local function end_lease(id, h)
  local counted = h.k
  unlease(id, h)
  if counted then
    call('SREM', T .. ':k:' .. h.lane .. ':' .. whole(h).rp, id)
    let_one_go(h.lane, h.rp)
  end
end

-- If this fence holds the job: ends its lease and returns the lane it was leased from, its state and the bytes counted for it.
local function take(id, its_fence)
  local h = record(id)
  if not h or h.f ~= its_fence then return nil end
  end_lease(id, h)
  return h.lane, h.state, tonumber(h.sz)
end

local function holds(id, its_fence)
  local h = record(id)
  return h and h.f == its_fence and h.lane
end

-- Take a job out of whichever structure its record says it is in.
local function lift(id)
  local h = record(id)
  if not h then return false, false end
  local st, lane = h.st, h.lane
  if st == 'leased' then
    end_lease(id, h)
  elseif st == 'ready' then
    zdrop(T .. ':r:' .. lane, id)
  elseif st == 'waiting' then
    zdrop(T .. ':w:' .. lane, id)
  elseif st == 'held' then
    local key = T .. ':g:' .. lane .. ':' .. whole(h).rp
    zdrop(key, id)
    if look('EXISTS', key) == 0 then call('SREM', T .. ':held', lane .. ' ' .. h.rp) end
  end
  return st, lane
end

-- Whoever works on a task that is settled here learns it at once by the hint, else by its next extend; its fence is void at any rate.
local function settle(id, task_state)
  if lift(id) == 'leased' then lost = true end
  hset(id, 'st', 'settled', 'state', task_state)
end

-- Nothing more happens to an event that was lifted until it is pushed again. A fence holds only what is leased, so it may stay.
local function rest(event) hset(event, 'st', 'settled') end

-- An event's state, its index, its counter and the bytes counted for its state change together or not at all.
local function enter_state(event, old, state, size, by, why)
  if old then
    zdrop(key(':e:', old), event)
    tally(B, old, -size)
  end
  zput(key(':e:', state), event, NOW_MS)
  entered[state] = (entered[state] or 0) + 1
  tally(B, state, size)
  if undecided then undecided = undecided + (UNDECIDED[state] or 0) - (UNDECIDED[old] or 0) end
  -- That it was received is known from its header; the timeline begins with what follows.
  if old then note(event, (why and why ~= '') and (state .. ': ' .. why) or state, by) end
end

local function set_state(event, state, by, why)
  local h = hmget(event, 'state', 'sz')
  if h[1] == state then return end
  hset(event, 'state', state)
  enter_state(event, h[1], state, tonumber(h[2]) or 0, by, why)
end

local function grow(event, bytes)
  local state = bytes > 0 and hget(event, 'state')
  if not state then return end
  hincrby(event, 'sz', bytes)
  tally(B, state, bytes)
end

-- Append a record to the partition's chain of decisions, if `prev` is the hash of its last one. Hashes are made by the client, for the
-- server has no SHA-256. What is trimmed leaves its last number and hash as an anchor. Returns its number, or nil and the head's hash.
local TRIMMED_MAX = 50
local function append_link(prev, hash, record, entries_max, bytes_max)
  local h = call('HMGET', M, 'dc:seq', 'dc:hash', 'dc:bytes')
  local head = h[2] or ''
  if head ~= prev then return nil, head end
  local seq, bytes = (tonumber(h[1]) or 0) + 1, (tonumber(h[3]) or 0) + #record
  call('XADD', T .. ':dc', int(seq) .. '-1', 'p', prev, 'h', hash, 'r', record)
  local over = call('XLEN', T .. ':dc') - entries_max
  for _ = 1, TRIMMED_MAX do
    if over <= 0 and bytes <= bytes_max then break end
    local oldest = call('XRANGE', T .. ':dc', '-', '+', 'COUNT', 1)[1]
    if oldest[1] == int(seq) .. '-1' then break end
    call('XDEL', T .. ':dc', oldest[1])
    call('HSET', M, 'dc:aseq', string.match(oldest[1], '^%d+'), 'dc:ahash', oldest[2][4])
    over, bytes = over - 1, bytes - #oldest[2][6]
  end
  call('HSET', M, 'dc:seq', int(seq), 'dc:hash', hash, 'dc:bytes', int(bytes))
  return seq
end

-- Record an attempt once, however often the call is repeated because its reply was lost.
local function book(task, attempt)
  local key = T .. ':t:' .. task
  if attempt == '' or not record(task) or call('LINDEX', key, -1) == attempt then return false end
  if call('RPUSH', key, attempt) > ATTEMPTS_MAX then call('LTRIM', key, -ATTEMPTS_MAX, -1) end
  grow(event_of(task), #attempt)
  return true
end

local function tasks_of_run(event)
  local h = hmget(event, 'first', 'tasks')
  local ids = {}
  for n = tonumber(h[1]) or 1, tonumber(h[2]) or 0 do ids[#ids + 1] = event .. '.' .. n end
  load(ids)
  return ids
end

-- Lanes of the other seats of a task's panel that are not over without an answer: a provider sits on a panel once.
local function lanes_taken(task)
  local taken = {}
  for _, other in ipairs(tasks_of_run(event_of(task))) do
    if other ~= task then
      local h = hmget(other, 'lane', 'state')
      if h[1] and h[2] ~= 'failed' and h[2] ~= 'cancelled' then taken[h[1]] = true end
    end
  end
  return taken
end

-- Cancel what is still wanted of a panel.
local function cancel_tasks(event, in_flight_too)
  for _, id in ipairs(tasks_of_run(event)) do
    local st = hget(id, 'st')
    if st == 'ready' or st == 'waiting' or st == 'held' or (in_flight_too and st == 'leased') then settle(id, 'cancelled') end
  end
end

-- One seat fewer to wait for. At the last seat, or at quorum plus grace, the delayed decision is pulled forward; grace is for votes, so
-- the end of a question of the second round hurries nobody.
local function count_down(task, gave_vote)
  local event = event_of(task)
  local h = hmget(event, 'st', 'lane', 'due', 'quorum', 'grace', 'run')
  if (h[6] or '1') ~= hget(task, 'run') then return end
  local left = hincrby(event, 'left', -1)
  local votes = hincrby(event, 'votes', gave_vote and 1 or 0)
  if h[1] ~= 'waiting' or h[2] ~= 'decide' then
    if gave_vote then hset(task, 'late', 1) end
    return
  end
  if left <= 0 then
    zdrop(T .. ':w:decide', event)
    push(event, 'decide')
  elseif votes >= tonumber(h[4] or 1) and not hget(task, 'q') then
    local due = math.min(tonumber(h[3]), NOW + tonumber(h[5] or 0))
    zput(T .. ':w:decide', event, int(due))
    hset(event, 'due', int(due))
    due_at('decide', due)
  end
end

-- A seat and its hedge know each other by `hs` and `hd`. Returns the other one while it is not over.
local function other_half(task)
  local h = hmget(task, 'hs', 'hd')
  local other = h[1] or h[2]
  local st = other and hget(other, 'st')
  return st and st ~= 'settled' and other
end

-- A task that has one has failed and its other half goes on alone: what was called for the seat so far counts there too.
local function leave_to(other, task, lane)
  local h = hmget(task, 'ca', 'ca:' .. lane)
  hset(other, 'cx', h[1] or 0)
  if h[2] then hincrby(other, 'ca:' .. lane, h[2]) end
  note(event_of(task), 'seat ' .. task .. ' is left to ' .. other, lane)
end

-- A task is over. Of two halves the first that succeeds ends the seat and the other is cancelled; it fails when both have.
local function seat_ends(task, lane, task_state, gave_vote)
  local other = other_half(task)
  if other and task_state ~= 'succeeded' then
    leave_to(other, task, lane)
    return
  end
  if other then
    settle(other, 'cancelled')
    note(event_of(task), 'seat ' .. other .. ' cancelled: ' .. task .. ' was first', lane)
  end
  count_down(task, gave_vote)
end

-- A seat whose event was decided, or runs anew, meanwhile: a late answer is kept, but nobody is asked again for it.
local function unwanted(task)
  local e = hmget(event_of(task), 'state', 'lane', 'run')
  local open = (e[1] == 'routed' or e[1] == 'parked' or e[1] == 'consensus_pending') and e[2] == 'decide'
  return not open or (e[3] or '1') ~= hget(task, 'run')
end

-- An event none of whose seats was asked waits visibly, and says when its chance comes next, as far as that is known (ms from now, else
-- below zero).
local function park(task, why, wait)
  local event = event_of(task)
  local state = hget(event, 'state')
  if unwanted(task) or (state ~= 'routed' and state ~= 'parked') then return end
  if state == 'routed' then set_state(event, 'parked', 'router', why) end
  local known, at = tonumber(call('HGET', T .. ':x:' .. event, 'chance') or ''), wait >= 0 and NOW + wait or nil
  -- Looked at again and again: what differs by less than it takes to look is not worth a write.
  if at and (not known or math.abs(known - at) > 2000) then call('HSET', T .. ':x:' .. event, 'chance', int(at))
  elseif known and not at then call('HDEL', T .. ':x:' .. event, 'chance') end
end

local function fail_event(event, class, code, message, by)
  hset(event, 'err', class, 'code', code)
  rest(event)
  call('HSET', T .. ':x:' .. event, 'error', message)
  set_state(event, 'failed', by, class)
  log('error', 'failed', event, class)
end

-- A job whose lease ended and that is to run again: a seat nobody wants any more ends, one that was delivered too often is given
-- up as poison, anything else goes back to its lane, at once or after a delay. Returns "again", "unwanted" or "buried".
local function take_back(id, lane, deliveries_max, delay, why)
  local event, task = event_of(id), is_task(id)
  local deliveries = tonumber(hget(id, 'dv')) or 0
  if task and unwanted(id) then
    settle(id, 'cancelled')
    return 'unwanted'
  elseif deliveries < deliveries_max then
    if task then hset(id, 'state', delay > 0 and 'waiting' or 'queued') end
    if why ~= '' then note(event, (task and ('seat ' .. id) or 'event') .. ' taken back: ' .. why, lane) end
    if delay > 0 then wait_until(id, lane, NOW + delay) else push(id, lane) end
    return 'again'
  elseif task then
    hset(id, 'err', 'poison')
    settle(id, 'failed')
    note(event, 'seat ' .. id .. ' given up after ' .. deliveries .. ' deliveries', lane)
    log('error', 'poison', id, lane)
    seat_ends(id, lane, 'failed', false)
  else
    cancel_tasks(event, true)
    fail_event(event, 'poison', 'ERR_ROUTING_010', 'given up after ' .. deliveries .. ' deliveries in lane ' .. lane, lane)
  end
  return 'buried'
end

-- What a run's questions of the second round were about is told by its decision; kept as well it would grow with every run.
local function forget_questions(event)
  local bytes = 0
  for _, task in ipairs(tasks_of_run(event)) do
    local size = call('HSTRLEN', T .. ':x:' .. event, 'ask:' .. task)
    if size > 0 then
      call('HDEL', T .. ':x:' .. event, 'ask:' .. task)
      bytes = bytes + size
    end
  end
  if bytes > 0 then
    hincrby(event, 'sz', -bytes)
    tally(B, hget(event, 'state'), -bytes)
  end
end

-- Start over as a new run: same id, same priority, new age, counters at zero; what earlier runs left stays readable, and a seat
-- of theirs that is still being worked on is given up.
local function rerun(event, by, why)
  cancel_tasks(event, true)
  forget_questions(event)
  local h = hmget(event, 'run', 'tasks')
  local run = (tonumber(h[1]) or 1) + 1
  hset(event, 'run', run, 'ms', NOW_MS, 'since', NOW_MS, 'dv', 0, 'left', 0, 'votes', 0, 'first', (tonumber(h[2]) or 0) + 1)
  hdel(event, 'err', 'code', 'deadline', 'verdict', 'agree', 'ran', 'decided', 'decided_ms', 'split', 'findings', 'conflicts')
  call('HDEL', T .. ':x:' .. event, 'error', 'reason')
  note(event, 'replay, run ' .. run .. ((why and why ~= '') and (': ' .. why) or ''), by)
  set_state(event, 'received', by)
  push(event, 'route')
end

-- Put an event aside because there is more work than can be done in time; its payload stays and it can be replayed.
local function shed(event, why)
  cancel_tasks(event, true)
  rest(event)
  call('HSET', T .. ':x:' .. event, 'reason', why)
  set_state(event, 'shed', 'overload', why)
  log('warning', 'shed', event, why)
end

local function count_undecided()
  if not undecided then
    undecided = 0
    for state in pairs(UNDECIDED) do undecided = undecided + look('ZCARD', key(':e:', state)) end
  end
  return undecided
end

local bytes_before
local function stored_bytes()
  if not bytes_before then
    bytes_before = 0
    for _, n in ipairs(call('HVALS', B)) do bytes_before = bytes_before + n end
  end
  local sum = bytes_before
  for _, n in pairs(tallies[B] or {}) do sum = sum + n end
  return sum
end

-- Delivery ids, in a hash for each day in which they came: a field of a hash takes less room than a key, those of many events are asked
-- for together, and days that are over go whole. A field says the event and when.
local DAY_MS = 86400000
local remembered_ms, undecided_max, bytes_soft, bytes_hard, shed_from
local deliveries, delivered_now, today_begun
local expected -- ids of deliveries that this script will ask for

local function day_of(ms) return T .. ':d:' .. int(floor(ms / DAY_MS)) end

-- The days that are asked about, newest first, and what is asked whether they are there: today as many times as there are days, so that one
-- count tells of today and of the others. They stay the same from call to call, for hours.
local days, days_asked, days_for, days_today

local function know_days()
  local today, last = floor(NOW / DAY_MS), math.ceil(remembered_ms / DAY_MS)
  if days_for == T and days_today == today and #days == last + 1 then return end
  days, days_asked, days_for, days_today = {}, {}, T, today
  for day = 0, last do
    days[day + 1] = day_of(NOW - day * DAY_MS)
    days_asked[day + 1], days_asked[last + 1 + day] = days[1], days[day + 1]
  end
end

local function ask_deliveries(names)
  know_days()
  local known, begun = {}, call('EXISTS', unpack(days_asked))
  today_begun = begun >= #days
  for day = today_begun and 1 or 2, begun % #days > 0 and #days or 1 do
    local found = call('HMGET', days[day], unpack(names))
    for n = 1, #found do
      if found[n] then
        local id, ms = match(found[n], '^(%S+) (%d+)$')
        if not deliveries[names[n]] and NOW - ms < remembered_ms then
          deliveries[names[n]] = id
          known[#known + 1] = id
        end
      end
    end
  end
  for n = 1, #names do deliveries[names[n]] = deliveries[names[n]] or false end
  if #known > 0 then load(known) end
end

local function delivered(name)
  if deliveries[name] == nil then
    if #expected == 0 then expected[1] = name end
    ask_deliveries(expected)
    expected = {}
    return delivered(name)
  end
  return deliveries[name]
end

local function deliver(name, id)
  deliveries[name] = id
  delivered_now[#delivered_now + 1] = name
  delivered_now[#delivered_now + 1] = id .. ' ' .. NOW_MS
end

-- A day whose ids are remembered no more is unlinked by `trim`; the time to live is for stores that nobody trims.
local function write_deliveries(list, last)
  if last == 0 then return end
  write('HSET', days[1], list, 1, last)
  if not today_begun then call('PEXPIRE', days[1], int(remembered_ms + 2 * DAY_MS)) end
  today_begun = true
end

-- Write what was taken in so far. At the end it would be written too, but then the clock has not seen how long it takes, which after a
-- fork is several times as long as all else.
local function write_taken_in()
  write_deliveries(delivered_now, #delivered_now)
  delivered_now = {}
  write_new()
  write_sets()
end

-- Forget everything of a finished event.
local function forget_event(event)
  local h = hmget(event, 'tasks', 'state', 'sz')
  local keys = {}
  for n = 1, tonumber(h[1]) or 0 do
    local task = event .. '.' .. n
    lift(task)
    discard(task)
    keys[#keys + 1] = T .. ':a:' .. task
    keys[#keys + 1] = T .. ':t:' .. task
  end
  if h[2] then
    zdrop(T .. ':e:' .. h[2], event)
    tally(B, h[2], -(tonumber(h[3]) or 0))
  end
  for _, part in ipairs({'x', 'p', 'f', 'n', 'o', 'h', 'v'}) do keys[#keys + 1] = T .. ':' .. part .. ':' .. event end
  for _, key in ipairs(keys) do gone[#gone + 1] = key end
  discard(event)
end

-- Of what nobody works on yet, the newest of the least urgent class; an older or more urgent event is never put aside for a newer one.
local function least_urgent()
  local found, worst = nil, -1
  for _, name in ipairs(call('SMEMBERS', T .. ':lanes')) do
    local tail = look('ZREVRANGEBYSCORE', T .. ':r:' .. name, '+inf', int(shed_from * BAND), 'WITHSCORES', 'LIMIT', 0, 10)
    for i = 1, #tail, 2 do
      local event, score = event_of(tail[i]), tonumber(tail[i + 1])
      local state = hget(event, 'state')
      if score > worst and (state == 'received' or state == 'routed' or state == 'parked') then found, worst = event, score end
    end
  end
  return found, worst
end

-- The place in line of what comes now; the same for all of a class that one script takes in.
local places_now
local function place_now(priority)
  local place = places_now[priority]
  if not place then
    place = int(priority * BAND + NOW)
    places_now[priority] = place
  end
  return place
end

-- A seat that is moved by hand remembers the lane it came from first, its home, and how often it had been asked by then; its home knows
-- which seats left it, the newest of them and for a while. One that comes home is one that never left.
local MOVED_MAX, MOVED_KEPT_MS = 50000, 7 * DAY_MS
local left_lanes
local function moved_by_hand(task, from, to)
  local home = hget(task, 'hm')
  if home == to then
    hdel(task, 'hm', 'hc')
    zdrop(key(':mv:', to), task)
  elseif not home or home == from then
    hset(task, 'hm', from, 'hc', hget(task, 'ca') or 0)
    zput(key(':mv:', from), task, NOW_MS)
    left_lanes = left_lanes or {}
    left_lanes[from] = true
  end
end

-- A seat that nobody works on goes to another lane; a delay and a place in a batch were its old provider's. Without a `why` it was by hand.
local function reseat(id, from, to, how, by, why)
  lift(id)
  hdel(id, 'bt')
  hset(id, 'state', 'queued')
  note(event_of(id), 'seat ' .. id .. ' ' .. how .. ' from ' .. from .. ' to ' .. to .. (why and (': ' .. why) or ''), by)
  if not why then moved_by_hand(id, from, to) end
  push(id, to)
end

-- Wake one of those who wait for this lane; while nobody waits it stays rung.
local function ring(lane)
  local bell = key(':bell:', lane)
  if call('LLEN', bell) == 0 then call('RPUSH', bell, 1) end
end

local function bound_left_lanes()
  if not left_lanes then return end
  for lane in pairs(left_lanes) do
    local name = key(':mv:', lane)
    call('ZREMRANGEBYSCORE', name, '-inf', int(NOW - MOVED_KEPT_MS))
    call('ZREMRANGEBYRANK', name, 0, -MOVED_MAX - 1)
    call('PEXPIRE', name, int(MOVED_KEPT_MS))
  end
end

local function begin(tag, most_s)
  begin_work(tag, most_s)
  left_lanes = nil
  woken, left, lost, known_lanes, entered, ahead = {}, {}, false, {}, {}, false
  fence, seq, undecided, bytes_before = nil, nil, nil, nil
  deliveries, delivered_now, today_begun, expected, places_now = {}, {}, false, {}, {}
end

local function finish()
  write_deliveries(delivered_now, #delivered_now)
  write_records()
  write_sets()
  bound_left_lanes()
  for state, n in pairs(entered) do tally(C, 'to:' .. state, n) end
  for key, fields in pairs(tallies) do
    for field, n in pairs(fields) do
      if n ~= 0 then call('HINCRBY', key, field, int(n)) end
    end
  end
  write_log()
  if fence then call('HSET', M, 'fence', int(fence)) end
  if seq and not seq_known then call('HSET', M, 'seq', int(seq)) end
  for lane in pairs(woken) do
    call('PUBLISH', T .. ':wake', lane)
    left[lane] = true
  end
  for lane in pairs(left) do ring(lane) end
  -- An ACL made before there was this channel does not let all of us; by now everything is done, and this is a hint.
  if lost then redis.pcall('PUBLISH', T .. ':lost', '') end
end
