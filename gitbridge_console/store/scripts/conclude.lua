-- End events of which there is nothing to say but why. ARGV: state, by, why, then id, fence pairs. Returns 1, or 0 where the fence is void,
-- for each. The most frequent way of an event's end, so it is written out for many at once; what is not plain goes the common way.
local state, by, why, out = ARGV[1], ARGV[2], ARGV[3], {}
local level = state == 'failed' and 'error' or state == 'shed' and 'warning' or 'info'
local line = timeline_line(why ~= '' and (state .. ': ' .. why) or state, by)
local asked, keys, into, said = {}, {}, of(sets, T .. ':e:' .. state), log_line(level, state, why)
for i = 4, #ARGV, 2 do
  asked[#asked + 1] = ARGV[i]
  keys[#keys + 1] = J .. ARGV[i]
end
local raws, held = call('MGET', unpack(keys)), call('HMGET', L, unpack(asked))
local ended, lanes, froms, sizes = 0, {}, {}, {}
for n = 1, #asked do
  local id, raw, fence = asked[n], raws[n], ARGV[3 + 2 * n]
  if raw and records[id] == nil and fences[id] == nil and not undecided and #raw < INLINE_MAX and held[n] == fence then
    local sz, _, lane, old, at = match(raw, RECORD)
    local leased, from = lanes[lane], froms[old]
    if not leased then leased = of(sets, T .. ':l:' .. lane) lanes[lane] = leased end
    if not from then from = of(sets, T .. ':e:' .. old) froms[old] = from end
    leased[id], fences[id], from[id] = false, false, false
    into[id] = NOW_MS
    sizes[old] = (sizes[old] or 0) + sz
    fresh[id] = sz .. ' settled ' .. lane .. ' ' .. state .. ' ' .. sub(raw, at) .. line
    ended = ended + 1
    said[#said + 1] = id
    out[n] = 1
  else
    local _, old, size = take(id, fence)
    if old then
      local h = record(id)
      h.st, h.state = 'settled', state
      if old ~= state then enter_state(id, old, state, size, by, why) end
      log(level, state, id, why)
    end
    out[n] = old and 1 or 0
  end
end
pending_sets, line_count = true, line_count + ended
entered[state] = (entered[state] or 0) + ended
for old, size in pairs(sizes) do
  tally(B, old, -size)
  tally(B, state, size)
end
return out
