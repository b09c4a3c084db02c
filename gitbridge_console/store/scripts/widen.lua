-- Add seats to the panel of an event held in `decide`: one that came back with too few votes, one whose votes differ, or questions about
-- its answers. ARGV: id, fence, note, most ms to wait (0: any), then for each seat its provider lane, "" or the word for what it is
-- asked ("verify", "arbiter"), and "" or what that is about. The event waits for them in `decide`, until its deadline at most. Returns 1, or 0 when the fence is void.
local id = ARGV[1]
if not take(id, ARGV[2]) then return 0 end
local h = hmget(id, 'pr', 'ms', 'run', 'kind', 'deadline', 'rp', 'limit', 'tk')
for n = 5, #ARGV, 3 do
  local lane, word, about = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local task = id .. '.' .. hincrby(id, 'tasks', 1)
  hincrby(id, 'left', 1)
  hset(task, 'pr', h[1], 'ms', h[2], 'run', h[3] or 1, 'kind', h[4], 'state', 'queued', 'ca', 0, 'rp', h[6] or '', 'seat', lane,
    'tk', h[8] or 0)
  if word ~= '' then
    hset(task, 'q', word)
    call('HSET', T .. ':x:' .. id, 'ask:' .. task, about)
  end
  push(task, lane)
  grow(id, 512 + #about)
end
hset(id, 'dv', 0)
local due, most = tonumber(h[5]) or NOW + tonumber(h[7]), tonumber(ARGV[4])
wait_until(id, 'decide', most > 0 and math.min(due, NOW + most) or due)
note(id, ARGV[3], 'consensus')
return 1
