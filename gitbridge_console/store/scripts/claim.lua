-- Claim up to N jobs of a lane under a lease. ARGV: lane, n, lease ms, bytes of payloads to send along (-1: none), most jobs of one
-- repository at once (0: any), highest score to claim or "".
-- Returns {paused, ms until the next waiting job is due or -1, now}; with jobs also {…, fence, ids with a space between, records with a
-- zero byte between (none has one), those of their events likewise where they are tasks, payloads, then pairs of a place and a diff}. A
-- payload over the budget is sent as "" and fetched by itself. No record is written: a claim stands in the lease set and in the hash of
-- fences, and what was leased and never ended counts as delivered when it is taken back.
local lane, n, lease, room, cap, bound = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local ready, waiting = key(':r:', lane), key(':w:', lane)
local first = look('ZRANGE', waiting, 0, 0, 'WITHSCORES')
if first[2] and tonumber(first[2]) <= NOW then
  local due = call('ZRANGEBYSCORE', waiting, '-inf', NOW_MS, 'LIMIT', 0, 100)
  load(due)
  for n, id in ipairs(due) do
    if n > 1 and is_long() then break end
    zdrop(waiting, id)
    push(id, lane)
  end
  first = look('ZRANGE', waiting, 0, 0, 'WITHSCORES')
end
local out = {0, first[2] and math.max(0, tonumber(first[2]) - NOW) or -1, NOW_MS}

local until_ms = call('HGET', M, 'until:' .. lane)
if until_ms then
  if until_ms == '0' or tonumber(until_ms) > NOW then
    out[1] = 1
    return out
  end
  call('HDEL', M, 'until:' .. lane, 'pause:' .. lane)
  log('info', 'resumed', lane, 'its pause ended')
end
write_records()

-- The scores only where they are asked for: to read one takes as long as to take its job out.
local function pop(count)
  if bound == '' and cap == 0 then
    local ids = look('ZRANGE', ready, 0, count - 1)
    if #ids > 0 then call('ZREMRANGEBYRANK', ready, 0, #ids - 1) end
    return ids
  end
  local found = bound == '' and look('ZPOPMIN', ready, count)
    or look('ZRANGEBYSCORE', ready, '-inf', bound, 'WITHSCORES', 'LIMIT', 0, count)
  local ids, scores = {}, {}
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    scores[#scores + 1] = found[i + 1]
  end
  if bound ~= '' then write('ZREM', ready, ids) end
  return ids, scores
end

-- Of what was popped, what its repository's cap lets through; the rest is held apart.
local function let_through(popped, scores)
  if cap == 0 then return popped, {} end
  local ids, counted = {}, {}
  for i, id in ipairs(popped) do
    local repository = hget(id, 'rp')
    local key = repository and T .. ':k:' .. lane .. ':' .. repository
    if not key then
      ids[#ids + 1] = id
    elseif call('SCARD', key) >= cap then
      hold(id, lane, repository, scores[i])
    else
      call('SADD', key, id)
      ids[#ids + 1] = id
      counted[id] = true
    end
  end
  write_records()
  return ids, counted
end

local function records_of(ids)
  local keys = {unpack(ids)}
  for i = 1, #keys do keys[i] = J .. keys[i] end
  return call('MGET', unpack(keys))
end

local payloads, diffs, wants_payloads = {}, {}, room >= 0

-- What another round found, behind what was found before. There is seldom more than one.
local function joined(list, found)
  if #list == 0 then return found end
  for i = 1, #found do list[#list + 1] = found[i] end
  return list
end

-- Of an MGET: what is missing is empty.
local function filled(found, count)
  for i = 1, count do
    if not found[i] then found[i] = '' end
  end
  return found
end

-- The payloads of these jobs until there is no room; the first claimed is always sent. `about` has the records of their events.
local function send_payloads(ids, about, tasks)
  local keys, before, sent = {unpack(ids)}, #payloads, 0
  for i = 1, #ids do
    room = room - size_in(about[i])
    if room < 0 and before + i > 1 then break end
    local event = tasks and event_of(ids[i]) or ids[i]
    keys[i], sent = T .. ':p:' .. event, i
    -- By its first letter: of the quote before it a record has many.
    if find(about[i], 'df":', 1, true) then
      diffs[#diffs + 1] = before + i
      diffs[#diffs + 1] = call('GET', T .. ':f:' .. event) or ''
    end
  end
  payloads = joined(payloads, filled(sent > 0 and call('MGET', unpack(keys, 1, sent)) or {}, #ids))
end

local MANY = 16 -- leases among which the next ones are not to be searched for one by one
local until_when, leased, looked = int(NOW + lease), key(':l:', lane), 0
local its_fence, all_ids, all_records, all_events = nil, {}, {}, {}
local leases, holders = scratch.leases, scratch.holders
local AT_ONCE = 32 -- between two looks at the clock
local drained = false
while n > 0 and looked < 200 and (looked == 0 or not is_long()) do
  local wanted = math.min(n, AT_ONCE)
  local popped, scores = pop(wanted)
  looked = looked + #popped
  local ids, counted = let_through(popped, scores)
  if #ids > 0 then
    its_fence = its_fence or next_fence()
    local tasks, own = is_task(ids[1]), filled(records_of(ids), #ids)
    local at = 2 * #all_ids
    for i = 1, #ids do
      local id = ids[i]
      leases[at + 1], leases[at + 2] = until_when, id
      holders[at + 1], holders[at + 2] = id, counted[id] and its_fence .. ' 1' or its_fence
      at = at + 2
    end
    all_ids, all_records = joined(all_ids, ids), joined(all_records, own)
    local about = own
    if tasks then
      local events = {}
      for i = 1, #ids do events[i] = event_of(ids[i]) end
      about = filled(records_of(events), #ids)
      all_events = joined(all_events, about)
    end
    if wants_payloads then send_payloads(ids, about, tasks) end
    n = n - #ids
  end
  if #popped < wanted then
    -- Nobody else need come for what the lane was given in this script: it is empty.
    if bound == '' then woken[lane] = nil end
    drained = true
    break
  end
end
-- Another may do what is left, for there was no more time or it stands behind a cap.
if not drained and (n <= 0 or looked >= 200 or is_long()) and call('ZCARD', ready) > 0 then left[lane] = true end
if its_fence then
  if #all_ids >= MANY and not call('ZSCORE', leased, LONG_MEMBER) then call('ZADD', leased, LONG_MEMBER_SCORE, LONG_MEMBER) end
  local last = 2 * #all_ids
  holders[last + 1], holders[last + 2] = LONG_MEMBER, ''
  write('ZADD', leased, leases, 1, last)
  write('HSET', L, holders, 1, last + 2)
  out[4], out[5], out[6] = its_fence, concat(all_ids, ' '), concat(all_records, '\0')
  out[7] = concat(all_events, '\0')
  out[8], out[9] = payloads, diffs
end
return out
