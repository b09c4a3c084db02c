-- Forget finished events past their time, number or bytes, oldest first. ARGV: older than ms, most to keep of one state, most bytes of
-- all finished ones (0: any), limit, ms for which delivery ids are remembered. Failed and shed events are never forgotten here.
-- Returns how many went, and 1 where there was no time for all of them.
local limit, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[3])
local finished, forgotten = {'ignored', 'superseded', 'cancelled', 'resolved'}, 0
local function is_enough() return forgotten >= limit or (forgotten > 0 and is_long()) end
for _, state in ipairs(finished) do
  local key = T .. ':e:' .. state
  local over = math.max(look('ZCARD', key) - tonumber(ARGV[2]), call('ZCOUNT', key, '-inf', int(NOW - tonumber(ARGV[1]))))
  if over > 0 and not is_enough() then
    for id in in_pieces(look('ZRANGE', key, 0, math.min(over, limit - forgotten) - 1), 1) do
      forget_event(id)
      forgotten = forgotten + 1
    end
  end
end
if most_bytes > 0 then
  local function bytes()
    local sum = 0
    for _, state in ipairs(finished) do sum = sum + (call('HGET', B, state) or 0) + ((tallies[B] or {})[state] or 0) end
    return sum
  end
  while not is_enough() and bytes() > most_bytes do
    local oldest, since
    for _, state in ipairs(finished) do
      local first = look('ZRANGE', T .. ':e:' .. state, 0, 0, 'WITHSCORES')
      if first[1] and (not since or tonumber(first[2]) < since) then oldest, since = first[1], tonumber(first[2]) end
    end
    if not oldest then break end
    forget_event(oldest)
    forgotten = forgotten + 1
  end
end
-- In the background, since a day may have millions.
call('UNLINK', day_of(NOW - ARGV[5] - DAY_MS), day_of(NOW - ARGV[5] - 2 * DAY_MS))
return {forgotten, forgotten < limit and is_enough() and 1 or 0}
