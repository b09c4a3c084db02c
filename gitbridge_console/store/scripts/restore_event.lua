-- Put an event of a backup back, once. ARGV: id, state, since when in ms, then names and dumps as `pack_events` gives them. It takes its
-- place in its lane and state anew; what was being worked on waits again. Returns 1, or 0 when it is there already.
local event, state = ARGV[1], ARGV[2]
if call('ZSCORE', T .. ':e:' .. (call('HGET', J .. event, 'state') or state), event) then return 0 end
local function place(id)
  local h = call('HMGET', J .. id, 'st', 'lane', 'due', 'state')
  call('HDEL', J .. id, 'k')
  if h[1] == 'leased' and h[4] == 'in_progress' then call('HSET', J .. id, 'state', 'queued') end
  if h[1] == 'waiting' and h[3] then
    wait_until(id, h[2], tonumber(h[3]))
  elseif h[1] == 'ready' or h[1] == 'leased' or h[1] == 'held' then
    push(id, h[2])
  end
end
for i = 4, #ARGV, 2 do call('RESTORE', T .. ':' .. ARGV[i], 0, ARGV[i + 1], 'REPLACE') end
for i = 4, #ARGV, 2 do
  if string.sub(ARGV[i], 1, 2) == 'j:' then place(string.sub(ARGV[i], 3)) end
end
call('ZADD', T .. ':e:' .. state, ARGV[3], event)
tally(B, state, tonumber(call('HGET', J .. event, 'sz')) or 0)
return 1
