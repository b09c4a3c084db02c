-- Everything the Pulse counts. ARGV: lanes to report beside those ever used, "|", event states.
-- Returns {now, lanes, states, counters, pauses}; a lane is {name, ready, waiting, leased, oldest age ms or -1, five counts by priority}.
local names, seen, states, into_states = {}, {}, {}, false
for _, word in ipairs(ARGV) do
  if word == '|' then into_states = true
  elseif into_states then states[#states + 1] = word
  elseif not seen[word] then seen[word] = true names[#names + 1] = word end
end
for _, lane in ipairs(redis.call('SMEMBERS', T .. ':lanes')) do
  if not seen[lane] then seen[lane] = true names[#names + 1] = lane end
end
local lanes, gauges, pauses = {}, {}, {}
for _, lane in ipairs(names) do
  local key = T .. ':r:' .. lane
  local row = {lane, redis.call('ZCARD', key), redis.call('ZCARD', T .. ':w:' .. lane), redis.call('ZCARD', T .. ':l:' .. lane), -1}
  for n = 1, 5 do
    local low, high = int((n * 100 - 50) * BAND), '(' .. int((n * 100 + 50) * BAND)
    row[5 + n] = redis.call('ZCOUNT', key, low, high)
    local first = redis.call('ZRANGEBYSCORE', key, low, high, 'LIMIT', 0, 1)
    if first[1] then row[5] = math.max(row[5], NOW - tonumber(redis.call('HGET', job(first[1]), 'rx') or redis.call('HGET', job(event_of(first[1])), 'rx') or NOW)) end
  end
  lanes[#lanes + 1] = row
  local pause = redis.call('HGET', T .. ':m', 'pause:' .. lane)
  local until_ms = tonumber(redis.call('HGET', T .. ':m', 'until:' .. lane) or -1)
  if pause and (until_ms == 0 or until_ms > NOW) then pauses[#pauses + 1] = {lane, pause} end
end
for _, state in ipairs(states) do gauges[#gauges + 1] = {state, redis.call('ZCARD', T .. ':e:' .. state)} end
return {int(NOW), lanes, gauges, redis.call('HGETALL', T .. ':c'), pauses}
