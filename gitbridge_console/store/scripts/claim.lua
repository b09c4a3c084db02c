-- Claim up to N jobs of a lane under a lease. ARGV: lane, n, lease ms, bytes of payloads to send along (-1: none), most jobs of one
-- repository at once (0: any), highest score to claim or "".
-- Returns {paused, ms until the next waiting job is due or -1, now, fence, then for each job its id, record, payload, diff and, of a
-- task, the record of its event}; a payload over the budget is sent as "" and fetched by itself. No record is written: a claim stands in
-- the lease set and in the hash of fences, and what was leased and never ended counts as delivered when it is taken back.
local lane, n, lease, room, cap, bound = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local ready, waiting = T .. ':r:' .. lane, T .. ':w:' .. lane
local due = look('ZRANGEBYSCORE', waiting, '-inf', NOW_MS, 'LIMIT', 0, 100)
if #due > 0 then load(due) end
for _, id in ipairs(due) do
  zdrop(waiting, id)
  push(id, lane)
end
local first = look('ZRANGE', waiting, 0, 0, 'WITHSCORES')
local out = {0, first[2] and math.max(0, tonumber(first[2]) - NOW) or -1, NOW_MS, ''}

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

local function pop(count)
  if bound == '' then return look('ZPOPMIN', ready, count) end
  local found = look('ZRANGEBYSCORE', ready, '-inf', bound, 'WITHSCORES', 'LIMIT', 0, count)
  local ids = {}
  for i = 1, #found, 2 do ids[#ids + 1] = found[i] end
  write('ZREM', ready, ids)
  return found
end

-- Of what was popped, what its repository's cap lets through; the rest is held apart.
local function let_through(popped)
  local ids, counted = {}, {}
  for i = 1, #popped, 2 do
    local id = popped[i]
    local repository = cap > 0 and hget(id, 'rp')
    local key = repository and T .. ':k:' .. lane .. ':' .. repository
    if not key then
      ids[#ids + 1] = id
    elseif call('SCARD', key) >= cap then
      hold(id, lane, repository, popped[i + 1])
    else
      call('SADD', key, id)
      ids[#ids + 1] = id
      counted[id] = true
    end
  end
  if cap > 0 then write_records() end
  return ids, counted
end

local function records_of(ids)
  local keys = {}
  for i = 1, #ids do keys[i] = J .. ids[i] end
  return call('MGET', unpack(keys))
end

-- The payloads of these jobs as far as there is room for them; the first claimed is always sent. `about` has the records of their events.
local function payloads_of(ids, about, is_first)
  local payloads, diffs, keys, places = {}, {}, {}, {}
  if room < 0 then return payloads, diffs end
  for i = 1, #ids do
    room = room - (tonumber(match(about[i], '^%d+')) or 0)
    if room >= 0 or (is_first and i == 1) then
      local event = event_of(ids[i])
      keys[#keys + 1] = T .. ':p:' .. event
      places[#places + 1] = i
      if find(about[i], '"df":', 1, true) then diffs[i] = call('GET', T .. ':f:' .. event) end
    end
  end
  local found = #keys > 0 and call('MGET', unpack(keys)) or {}
  for n = 1, #keys do payloads[places[n]] = found[n] end
  return payloads, diffs
end

local until_when, leased, looked, sent = int(NOW + lease), T .. ':l:' .. lane, 0, 0
while n > 0 and looked < 200 do
  local popped = pop(n)
  if #popped == 0 then break end
  looked = looked + #popped / 2
  local ids, counted = let_through(popped)
  if #ids > 0 then
    if sent == 0 then out[4] = next_fence() end
    local tasks, events = is_task(ids[1]), {}
    for i = 1, #ids do
      zput(leased, ids[i], until_when)
      fences[ids[i]] = counted[ids[i]] and out[4] .. ' 1' or out[4]
      if tasks then events[i] = event_of(ids[i]) end
    end
    local own = records_of(ids)
    local about = tasks and records_of(events) or own
    for i = 1, #ids do own[i], about[i] = own[i] or '', about[i] or '' end
    local payloads, diffs = payloads_of(ids, about, sent == 0)
    for i = 1, #ids do
      local at = #out
      out[at + 1], out[at + 2], out[at + 3], out[at + 4] = ids[i], own[i], payloads[i] or '', diffs[i] or ''
      out[at + 5] = tasks and about[i] or ''
    end
    n, sent = n - #ids, sent + #ids
  end
end
return out
