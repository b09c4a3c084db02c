-- End events of which there is nothing to say but why. ARGV: state, by, why, texts (JSON, a list of name, value … or ""), then id,
-- fence pairs. Returns 1, 0 where the fence is void, LEFT where there is no time for it, or an error, for each. The most frequent way of an
-- event's end, so it is written out for many at once; what is not plain goes the common way.
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
for n = 1, (#ARGV - 4) / 2 do
  local id = ARGV[3 + 2 * n]
  asked[n], keys[n] = id, J .. id
end
local raws, held = call('MGET', unpack(keys)), call('HMGET', L, unpack(asked))

-- Those one after another that stand in the same lane and state are written by themselves, at once: no more is asked about them.
local place, lane, old, settled
local all_values, all_entries = scratch.values, scratch.entries
local filled, bytes, first = 0, 0, 1
local function write_out(last)
  if first <= last then
    write_values(all_values, filled)
    write('HDEL', L, asked, first, last)
    write('ZREM', key(':l:', lane), asked, first, last)
    write('ZREM', key(':e:', old), asked, first, last)
    write('ZADD', key(':e:', state), all_entries, 1, filled)
    tally(B, old, -bytes)
    tally(B, state, bytes)
    local count = last - first + 1
    entered[state] = (entered[state] or 0) + count
    line_count = line_count + count
    filled, bytes = 0, 0
  end
  first = last + 1
end

-- The size a record says, and where it goes on after lane and state; nil where it stands in another place than the one before.
local function look_at(raw)
  if place then return match(raw, place) end
end

local function go_to_place_of(raw)
  local at
  lane, old, at = match(raw, '^%d+ %S+ (%S*) (%S*) ()')
  place = '^(%d+)' .. string.gsub(sub(raw, find(raw, ' ', 1, true), at - 1), '%W', '%%%0') .. '()'
  settled = ' settled ' .. lane .. ' ' .. state .. ' '
end

for n = 1, #asked do
  if n % PIECE == 1 and n > 1 and is_long() then
    for left = n, #asked do out[left] = LEFT end
    write_out(n - 1)
    return out
  end
  local id, raw, fence = asked[n], raws[n], ARGV[4 + 2 * n]
  local size, at
  local quick = raw and held[n] == fence and records[id] == nil and not unleased[id] and not undecided and #raw < INLINE_MAX
  if quick then
    size, at = look_at(raw)
    if not size then
      write_out(n - 1)
      go_to_place_of(raw)
      size, at = look_at(raw)
    end
    quick = old ~= state
  end
  local refused = texts and (quick or holds(id, fence)) and tell(id)
  if not quick or refused then write_out(n - 1) first = n + 1 end
  if refused then
    out[n] = refused
  elseif quick then
    all_values[filled + 1], all_values[filled + 2] = keys[n], size .. settled .. sub(raw, at) .. line
    all_entries[filled + 1], all_entries[filled + 2] = NOW_MS, id
    filled, bytes = filled + 2, bytes + size
    said[#said + 1] = id
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
write_out(#asked)
return out
