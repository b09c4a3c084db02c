-- Add one seat to a panel that came back with too few votes. ARGV: id, fence, provider lane, note.
-- The event waits for it in `decide`, until its deadline at most. Returns 1, or 0 when the fence is void.
local id, lane = ARGV[1], ARGV[3]
if not take(id, ARGV[2]) then return 0 end
local h = call('HMGET', J .. id, 'pr', 'ms', 'run', 'kind', 'deadline', 'rp', 'limit')
local task = id .. '.' .. call('HINCRBY', J .. id, 'tasks', 1)
call('HINCRBY', J .. id, 'left', 1)
call('HSET', J .. id, 'dv', 0)
call('HSET', J .. task, 'pr', h[1], 'ms', h[2], 'run', h[3] or 1, 'kind', h[4], 'state', 'queued', 'ca', 0, 'rp', h[6] or '', 'seat', lane)
push(task, lane)
grow(id, 512)
wait_until(id, 'decide', tonumber(h[5]) or NOW + tonumber(h[7]))
note(id, ARGV[4], 'consensus')
return 1
