-- Accept an event. ARGV: delivery, delivery ttl ms, lane, priority, type, action, source, payload, diff, max undecided, partition,
-- "pin" (the priority was asked for: routing leaves it) | "", then pairs for the text hash. Returns {id, "new" | "duplicate" | "requeued" | "backpressure"}.
local delivery, lane = ARGV[1], ARGV[3]
local known = redis.call('GET', T .. ':d:' .. delivery)
local known_state = known and redis.call('HGET', job(known), 'state')
if known_state == 'failed' or known_state == 'shed' then
  rerun(known, 'redelivery')
  return {known, 'requeued'}
elseif known_state then
  redis.call('HINCRBY', T .. ':c', 'duplicates', 1)
  log('info', 'duplicate', known, delivery)
  return {known, 'duplicate'}
end

local undecided = 0
for _, state in ipairs({'received', 'routed', 'parked', 'consensus_pending'}) do
  undecided = undecided + redis.call('ZCARD', T .. ':e:' .. state)
end
if undecided >= tonumber(ARGV[10]) then
  redis.call('HINCRBY', T .. ':c', 'refused', 1)
  return {'', 'backpressure', undecided}
end

local id = string.format('%08x%s', redis.call('HINCRBY', T .. ':m', 'seq', 1), ARGV[11])
redis.call('HSET', job(id), 'pr', ARGV[4], 'ms', int(NOW), 'rx', int(NOW), 'since', int(NOW), 'ty', ARGV[5], 'ac', ARGV[6], 'src', ARGV[7],
  'run', 1, 'dv', 0, 'tasks', 0, 'first', 1)
if ARGV[12] == 'pin' then redis.call('HSET', job(id), 'pin', 1) end
redis.call('SET', T .. ':p:' .. id, ARGV[8])
if ARGV[9] ~= '' then redis.call('SET', T .. ':f:' .. id, ARGV[9]) end
redis.call('HSET', T .. ':x:' .. id, 'delivery', delivery)
for i = 13, #ARGV, 2 do redis.call('HSET', T .. ':x:' .. id, ARGV[i], ARGV[i + 1]) end
redis.call('SET', T .. ':d:' .. delivery, id, 'PX', ARGV[2])
set_state(id, 'received', ARGV[7])
push(id, lane)
return {id, 'new'}
