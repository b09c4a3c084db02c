-- Put an event of a backup back, once. ARGV: id, state, since when in ms, then names and dumps as `pack_events` gives them. It takes its
-- place in its lane and state anew; what was being worked on waits again, for a lease changes no record. Returns 1, or 0 when it is
-- there already.
local event, state = ARGV[1], ARGV[2]
if call('ZSCORE', T .. ':e:' .. (hget(event, 'state') or state), event) then return 0 end
for i = 4, #ARGV, 2 do call('RESTORE', T .. ':' .. ARGV[i], 0, ARGV[i + 1], 'REPLACE') end
records[event] = nil
for i = 4, #ARGV, 2 do
  if sub(ARGV[i], 1, 2) == 'j:' then
    local id = sub(ARGV[i], 3)
    local h = hmget(id, 'st', 'lane', 'due', 'pr', 'ms')
    if h[1] == 'waiting' and h[3] then
      zput(T .. ':w:' .. h[2], id, h[3])
      lane_is_known(h[2])
    elseif h[1] == 'ready' then
      -- As `push` does, but for the record, which says so already.
      zput(key(':r:', h[2]), id, int(h[4] * BAND + h[5]))
      lane_is_known(h[2])
      woken[h[2]] = true
    elseif h[1] == 'held' then
      push(id, h[2])
    end
  end
end
call('ZADD', T .. ':e:' .. state, ARGV[3], event)
tally(B, state, tonumber(hget(event, 'sz')) or 0)
return 1
