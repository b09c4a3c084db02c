-- Everything the Pulse counts. ARGV: lanes to report beside those ever used, "|", event states.
-- Returns {now, lanes, states, counters, pauses, bytes by state, drains}; a lane is {name, ready, waiting, leased, held, oldest age ms or -1,
-- five counts by priority}.
local names, seen, states, into_states = {}, {}, {}, false
for _, word in ipairs(ARGV) do
  if word == '|' then into_states = true
  elseif into_states then states[#states + 1] = word
  elseif not seen[word] then seen[word] = true names[#names + 1] = word end
end
for _, lane in ipairs(call('SMEMBERS', T .. ':lanes')) do
  if not seen[lane] then seen[lane] = true names[#names + 1] = lane end
end
local held = {}
for _, place in ipairs(call('SMEMBERS', T .. ':held')) do
  local lane, repository = string.match(place, '^(%S+) (%S+)$')
  held[lane] = (held[lane] or 0) + call('ZCARD', T .. ':g:' .. lane .. ':' .. repository)
end
local lanes, gauges, pauses, drains = {}, {}, {}, {}
for _, lane in ipairs(names) do
  local key = T .. ':r:' .. lane
  local row = {lane, call('ZCARD', key), call('ZCARD', T .. ':w:' .. lane), call('ZCOUNT', T .. ':l:' .. lane, '-inf', '(' .. LONG_MEMBER_SCORE), held[lane] or 0, -1}
  if row[2] > 0 then
    for n = 1, 5 do
      local low, high = int((n * 100 - 50) * BAND), '(' .. int((n * 100 + 50) * BAND)
      row[6 + n] = call('ZCOUNT', key, low, high)
      local first = call('ZRANGEBYSCORE', key, low, high, 'LIMIT', 0, 1)[1]
      if first then row[6] = math.max(row[6], NOW - tonumber(hget(event_of(first), 'rx') or NOW)) end
    end
  else
    for n = 1, 5 do row[6 + n] = 0 end
  end
  lanes[#lanes + 1] = row
  local h = call('HMGET', M, 'pause:' .. lane, 'until:' .. lane, 'drain:' .. lane)
  local until_ms = tonumber(h[2] or -1)
  if h[1] and (until_ms == 0 or until_ms > NOW) then pauses[#pauses + 1] = {lane, h[1]} end
  if h[3] then drains[#drains + 1] = {lane, h[3]} end
end
for _, state in ipairs(states) do gauges[#gauges + 1] = {state, call('ZCARD', T .. ':e:' .. state)} end
return {int(NOW), lanes, gauges, call('HGETALL', C), pauses, call('HGETALL', B), drains}
