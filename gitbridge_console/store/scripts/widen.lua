-- Add one seat to a panel that came back with too few votes. ARGV: id, fence, provider lane, note.
-- The event waits for it in `decide`, until its deadline at most. Returns 1, or 0 when the fence is void.
local id, lane = ARGV[1], ARGV[3]
if not holds(id, ARGV[2]) then return 0 end
lift(id)
local h = redis.call('HMGET', job(id), 'pr', 'ms', 'run', 'kind', 'deadline')
local n = redis.call('HINCRBY', job(id), 'tasks', 1)
redis.call('HINCRBY', job(id), 'left', 1)
redis.call('HSET', job(id), 'dv', 0)
local task = id .. '.' .. n
redis.call('HSET', job(task), 'pr', h[1], 'ms', h[2], 'run', h[3], 'kind', h[4], 'state', 'queued', 'dv', 0, 'ca', 0, 'seat', lane)
push(task, lane)
wait_until(id, 'decide', tonumber(h[5]) or NOW)
note(id, ARGV[4], 'consensus')
return 1
