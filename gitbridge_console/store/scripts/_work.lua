-- The unit of work of a script: what it reads is asked for together, what it changes is kept here and written once, at its end, with a
-- few commands however many jobs it is about. A command of its own for each change would cost more than the change, here, in the
-- append-only file and on replicas. `T` is the partition's tag, all keys start with it. A script is the body of a function of its own
-- ARGV: several of them can run in one round trip, see scripts_loader.py, which also says why nothing here may run while this is loaded.
local call
local T, J, L, M, C, B, RECEIVED
local now, NOW, NOW_MS
local VALUES_MAX = 4000 -- arguments of one command, well below what Lua can unpack
-- Longer than what the server keeps in a list that it searches from end to end, so what has this member is an index. Such a list is also laid
-- anew whenever it grows, and each time the C library first fills its shelf from bins where nothing has been for long.
local LONG_MEMBER = 'a-name-of-more-than-sixty-four-bytes-makes-an-index-of-what-it-is-in'
local LONG_MEMBER_SCORE = '9007199254740991' -- behind all times there are
local match, find, sub, concat, format, floor

-- No call holds the server up: between one thing and the next a script looks at how much of the processor it has taken, and leaves what there
-- is no time for to the next call; the first thing is always done. The clock is that of the server's process: what else its machine does
-- is not counted, pages that are copied after a fork are. What was changed is written at the end, which takes as long again.
local CALL_S = 0.002
local PIECE = 8 -- what is short is done so many times between two looks at the clock
local LEFT = {ok = 'LEFT'} -- the reply about what was left
local begun_s, limit_s, no_time
local function clock() return os.clock() end
local function processor_s()
  local ok, s = pcall(clock)
  return ok and s or 0 -- Redis before 7.4 has no such clock, there nothing is left
end
local function is_long(share)
  no_time = no_time or processor_s() - begun_s >= limit_s * (share or 1)
  return no_time
end

-- Digits of a whole number. As such they take a fifth of the time that they take as those of a fraction; what is greater than 32 bits is
-- written in two parts.
local PART = 1000000000
local function int(n)
  if n ~= floor(n) or n < 0 or n >= PART * PART then return format('%.0f', n) end
  if n < PART then return format('%d', n) end
  local high = floor(n / PART)
  return format('%d%09d', high, n - high * PART)
end

local function of(tables, key)
  local found = tables[key]
  if not found then found = {} tables[key] = found end
  return found
end

-- The name of a key of a lane or a state. To put one together costs more than to look it up, so they are kept from call to call.
local NAMES_MAX = 500
local key_names, names_kept = {}, 0
local function key(kind, name)
  local names = of(key_names, kind)
  local found = names[name]
  if not found then
    found = T .. kind .. name
    names[name] = found
    names_kept = names_kept + 1
  end
  return found
end

local function write(command, key, values, first, last)
  last = last or #values
  for i = first or 1, last, VALUES_MAX do call(command, key, unpack(values, i, math.min(last, i + VALUES_MAX - 1))) end
end

-- Sorted sets: what is put in and taken out, by key. `look` reads one as if all of it were written.
local sets, pending_sets
local function zput(key, id, score) of(sets, key)[id] = score pending_sets = true end
local function zdrop(key, id) of(sets, key)[id] = false pending_sets = true end

local function write_sets()
  if not pending_sets then return end
  for key, changes in pairs(sets) do
    local put, dropped = {}, {}
    for id, score in pairs(changes) do
      if score then
        put[#put + 1] = score
        put[#put + 1] = id
      else
        dropped[#dropped + 1] = id
      end
    end
    write('ZREM', key, dropped)
    write('ZADD', key, put)
  end
  sets, pending_sets = {}, false
end

local function look(command, key, ...)
  write_sets()
  return call(command, key, ...)
end

-- Records: one string a job, of fields that are read or changed all the time, each followed by a space, then JSON with all other fields,
-- then the newest lines of an event's timeline, each after a line feed. A job is leased while the hash of fences has it; so a claim
-- changes no record, and `st`, `dv` and a task's `state` are what the record says as seen through that.
local RECORD, LATER = '^(%d+) (%S+) (%S*) (%S*) ()', '^(%-?%d+) (%d+) (%d+) (%d*) (%S*) ()'
local FIRST = {sz = true, st = true, lane = true, state = true, dv = true, pr = true, ms = true, rx = true, rp = true, f = true, k = true}
local INLINE_MAX = 600 -- bytes of timeline kept in a record; what is over that goes to a list of its own, many lines at once
local TIMELINE_MAX = 200
local records, changed, fresh, unleased, values, gone, older

-- The bytes counted for a job, of which its record says nothing else to whoever asks; 0 where there is no record.
local function size_in(raw) return tonumber(match(raw, '^%d+') or 0) end

local function is_task(id) return find(id, '.', 1, true) ~= nil end

local function parse(id, raw, lease)
  local sz, st, lane, state, at = match(raw, RECORD)
  if not lease then return {sz = sz, st = st, lane = lane, state = state, rest = sub(raw, at)} end
  if is_task(id) then state = 'in_progress' end
  local h = {sz = sz, st = 'leased', lane = lane, state = state, f = lease, delivered = true, rest = sub(raw, at)}
  if find(lease, ' ', 1, true) then h.f, h.k = match(lease, '^(%d+)'), '1' end
  return h
end

-- What few transitions ask for is read when one does.
local function whole(h)
  if not h.pr then
    local dv, pr, ms, rx, rp, at = match(h.rest, LATER)
    h.dv, h.pr, h.ms, h.rx, h.rp, h.rest = h.delivered and int(dv + 1) or dv, pr, ms, rx, rp, sub(h.rest, at)
  end
  return h
end

-- Have the records of these jobs at hand.
local function load(ids)
  if #ids == 0 then return end
  local asked, keys = {}, {}
  for i = 1, #ids do
    local id = ids[i]
    if records[id] == nil then
      local raw = fresh[id]
      if raw then
        records[id] = parse(id, raw)
      else
        records[id] = false
        asked[#asked + 1] = id
        keys[#keys + 1] = J .. id
      end
    end
  end
  for start = 1, #asked, VALUES_MAX do
    local last = math.min(#asked, start + VALUES_MAX - 1)
    local raws, held = call('MGET', unpack(keys, start, last)), call('HMGET', L, unpack(asked, start, last))
    for n = 1, #raws do
      local id = asked[start + n - 1]
      if raws[n] then records[id] = parse(id, raws[n], held[n]) end
    end
  end
end

local function record(id)
  local h = records[id]
  if h == nil then
    load({id})
    h = records[id]
  end
  return h
end

local function more(h)
  if not h.more then
    whole(h)
    local at = find(h.rest, '\n', 1, true)
    h.more = cjson.decode(at and sub(h.rest, 1, at - 1) or h.rest)
    h.lines = at and sub(h.rest, at) or ''
  end
  return h.more
end

local function hget(id, name)
  local h = record(id)
  if not h then return false end
  local value = h[name]
  if FIRST[name] then
    if value == nil then value = whole(h)[name] end
    return value and value ~= '' and value or false
  end
  return more(h)[name] or false
end

local function hmget(id, ...)
  local out = {...}
  for i = 1, #out do out[i] = hget(id, out[i]) end
  return out
end

-- Set fields; of a job without a record this makes one.
local function hset(id, ...)
  local h, pairs_of = record(id), {...}
  if not h then
    h = {sz = '0', st = 'moving', lane = '', state = '', dv = '0', pr = '0', ms = '0', rx = '', rp = '', rest = '{}'}
    records[id] = h
  end
  for i = 1, #pairs_of, 2 do
    local name, value = pairs_of[i], pairs_of[i + 1]
    if type(value) == 'number' then value = int(value) end
    if FIRST[name] then whole(h)[name] = value else more(h)[name] = value end
  end
  changed[id] = true
end

local function hdel(id, ...)
  local h = record(id)
  if not h then return end
  for _, name in ipairs({...}) do more(h)[name] = nil end
  changed[id] = true
end

local function hincrby(id, name, n)
  local now = (tonumber(hget(id, name)) or 0) + n
  hset(id, name, int(now))
  return now
end

local function hsetnx(id, name, value)
  if not hget(id, name) then hset(id, name, value) end
end

-- A lease ends. Its fence goes too, even where nothing is left of the job by the end of the script.
local function unlease(id, h)
  zdrop(key(':l:', h.lane), id)
  unleased[id] = true
  h.f, h.k, h.st = nil, nil, 'moving'
  changed[id] = true
end

local function discard(id)
  records[id], changed[id], fresh[id], older[id] = false, nil, nil, nil
  gone[#gone + 1] = J .. id
end

local known_lines
local function timeline_line(what, by)
  local lines_by = of(known_lines, by or '')
  local line = lines_by[what]
  if not line then
    line = '\n' .. cjson.encode({NOW_MS, what, by})
    lines_by[what] = line
  end
  return line
end

local function note(event, what, by)
  local h = record(event)
  if not h then return end
  local line = timeline_line(what, by)
  if h.more then h.lines = h.lines .. line else h.rest = h.rest .. line end
  changed[event] = true
  if #(h.lines or h.rest) <= INLINE_MAX then return end
  more(h)
  if #h.lines > INLINE_MAX then
    local list = of(older, event)
    for entry in string.gmatch(h.lines, '[^\n]+') do list[#list + 1] = entry end
    h.lines = ''
  end
end

local function stored(h)
  local st = h.st == 'leased' and 'ready' or h.st
  local first = h.sz .. ' ' .. st .. ' ' .. h.lane .. ' ' .. h.state .. ' '
  -- How often an event was delivered that is at rest says nothing to anybody.
  if not h.pr and (st == 'settled' or h.st == 'leased' or not h.delivered) then return first .. h.rest end
  local dv = whole(h).dv
  if h.st == 'leased' then dv = int(dv - 1) end
  return first .. dv .. ' ' .. h.pr .. ' ' .. h.ms .. ' ' .. h.rx .. ' ' .. h.rp .. ' ' .. (h.more and cjson.encode(h.more) .. h.lines or h.rest)
end

local function write_values(list, last)
  for i = 1, last, VALUES_MAX do call('MSET', unpack(list, i, math.min(last, i + VALUES_MAX - 1))) end
end

-- What transitions about many events are about to write. The lists are filled again at every call: to make them anew takes longer, most of
-- all with the C library, which lays a list that grows each time where nothing has been for long.
local scratch = {values = {}, delivered = {}, ready = {}, entries = {}, leases = {}, holders = {}}
local ALL_BYTES_MAX = 1000000 -- of more than that no list is kept

-- Write the records that were made here, and what else is about new jobs.
local function write_new()
  for id, raw in pairs(fresh) do
    values[#values + 1] = J .. id
    values[#values + 1] = raw
  end
  write_values(values, #values)
  fresh, values = {}, {}
end

-- Write all records that changed and forget them: what comes next reads them anew.
local function write_records()
  if not (next(changed) or next(fresh) or next(unleased) or values[1] or gone[1] or next(older)) then
    records = {}
    return
  end
  for id in pairs(changed) do
    fresh[id] = nil
    values[#values + 1] = J .. id
    values[#values + 1] = stored(records[id])
  end
  write_new()
  local ended = {}
  for id in pairs(unleased) do ended[#ended + 1] = id end
  write('HDEL', L, ended)
  for i = 1, #gone, VALUES_MAX do call('DEL', unpack(gone, i, math.min(#gone, i + VALUES_MAX - 1))) end
  for event, list in pairs(older) do
    local key = T .. ':h:' .. event
    if call('RPUSH', key, unpack(list)) > TIMELINE_MAX then call('LTRIM', key, -TIMELINE_MAX, -1) end
  end
  records, changed, unleased, gone, older = {}, {}, {}, {}, {}
end

-- What was counted, by hash and field.
local tallies
local function tally(key, field, n)
  local fields = of(tallies, key)
  fields[field] = (fields[field] or 0) + n
end

-- The log of a partition: one entry a script, `x` a JSON list of {level, what, text, id…}, `n` how many lines came before the end of it,
-- by which the oldest entries go once the lines after them are enough.
local lines, line_count
local function log_line(level, what, text)
  local line = lines[#lines]
  if not line or line[2] ~= what or line[3] ~= text or line[1] ~= level then
    line = {level, what, text}
    lines[#lines + 1] = line
  end
  return line
end

local function log(level, what, id, text)
  local line = log_line(level, what, text or '')
  line[#line + 1] = id
  line_count = line_count + 1
end

local function write_log()
  if line_count == 0 then return end
  local key, h = T .. ':ev', call('HMGET', M, 'log_max', 'log_lines')
  local kept, total = tonumber(h[1]) or 10000, (tonumber(h[2]) or 0) + line_count
  call('XADD', key, '*', 'n', int(total), 'x', cjson.encode(lines))
  call('HSET', M, 'log_lines', int(total))
  lines, line_count = {}, 0
  if total <= kept then return end
  -- One entry came, so two that go are enough, but where fewer lines are to be kept than before.
  for _, count in ipairs({2, 50}) do
    for _, entry in ipairs(call('XRANGE', key, '-', '+', 'COUNT', count)) do
      if total - entry[2][2] < kept then return end
      call('XDEL', key, entry[1])
    end
  end
end

local function begin_work(tag, most_s)
  if not call then
    call, match, find, sub, concat = redis.call, string.match, string.find, string.sub, table.concat
    format, floor = string.format, math.floor
  end
  if T ~= tag then
    T, J, L, M, C, B = tag, tag .. ':j:', tag .. ':fences', tag .. ':m', tag .. ':c', tag .. ':b'
    RECEIVED = tag .. ':e:received'
    names_kept = NAMES_MAX
  end
  if names_kept >= NAMES_MAX then key_names, names_kept = {}, 0 end
  begun_s, limit_s, no_time = processor_s(), most_s, false
  now = call('TIME')
  NOW_MS = now[1] .. sub('00000' .. now[2], -6, -4)
  NOW = tonumber(NOW_MS)
  sets, pending_sets = {}, false
  records, changed, fresh, unleased, values, gone, older = {}, {}, {}, {}, {}, {}, {}
  known_lines, tallies = {}, {}
  lines, line_count = {}, 0
end
