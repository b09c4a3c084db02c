-- End events of which there is nothing to say but why. ARGV: state, by, why, texts (JSON, a list of name, value … or ""), then id,
-- fence pairs. Returns 1, 0 where the fence is void, or an error, for each. The most frequent way of an event's end, so it is written out
-- for many at once; what is not plain goes the common way.
local state, by, why, out = ARGV[1], ARGV[2], ARGV[3], {}
local texts = ARGV[4] ~= '' and cjson.decode(ARGV[4])
local level = state == 'failed' and 'error' or state == 'shed' and 'warning' or 'info'
local line = timeline_line(why ~= '' and (state .. ': ' .. why) or state, by)

-- What the server could refuse comes first: then the job is still held. Returns the error.
local function tell(id)
  local reply = redis.pcall('HSET', T .. ':x:' .. id, unpack(texts))
  return type(reply) == 'table' and reply
end

local asked, keys, said = {}, {}, log_line(level, state, why)
for i = 5, #ARGV, 2 do
  asked[#asked + 1] = ARGV[i]
  keys[#keys + 1] = J .. ARGV[i]
end
local raws, held = call('MGET', unpack(keys)), call('HMGET', L, unpack(asked))

-- Those that stand in the same lane and state are written by themselves, at once: no more is asked about them.
local place, lane, old
local ids, into, bytes = {}, {}, 0
local function write_out()
  if #ids == 0 then return end
  write_values()
  write('HDEL', L, ids)
  write('ZREM', T .. ':l:' .. lane, ids)
  write('ZREM', T .. ':e:' .. old, ids)
  write('ZADD', T .. ':e:' .. state, into)
  tally(B, old, -bytes)
  tally(B, state, bytes)
  entered[state] = (entered[state] or 0) + #ids
  line_count = line_count + #ids
  ids, into, bytes = {}, {}, 0
end

-- Have lane and state of a record at hand, of which the size ends at `at`. Most stand where the one before does.
local function look_at(raw, at)
  if place and sub(raw, at, at + #place - 1) == place then return end
  write_out()
  local after
  lane, old, after = match(raw, '^ %S+ (%S*) (%S*) ()', at)
  place = sub(raw, at, after - 1)
end

for n = 1, #asked do
  local id, raw, fence = asked[n], raws[n], ARGV[4 + 2 * n]
  local after_size
  local quick = raw and held[n] == fence and records[id] == nil and fences[id] == nil and not undecided and #raw < INLINE_MAX
  if quick then
    after_size = find(raw, ' ', 1, true)
    look_at(raw, after_size)
    quick = old ~= state
  end
  local refused = texts and (quick or holds(id, fence)) and tell(id)
  if refused then
    out[n] = refused
  elseif quick then
    local size = sub(raw, 1, after_size - 1)
    values[#values + 1] = keys[n]
    values[#values + 1] = size .. ' settled ' .. lane .. ' ' .. state .. ' ' .. sub(raw, after_size + #place) .. line
    ids[#ids + 1] = id
    into[#into + 1] = NOW_MS
    into[#into + 1] = id
    said[#said + 1] = id
    bytes = bytes + size
    out[n] = 1
  else
    local _, before, size = take(id, fence)
    if before then
      local h = record(id)
      h.st, h.state = 'settled', state
      if before ~= state then enter_state(id, before, state, size, by, why) end
      log(level, state, id, why)
    end
    out[n] = before and 1 or 0
  end
end
write_out()
return out
