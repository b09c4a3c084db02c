-- Shared by every script; put in front of each when it is loaded. KEYS[1] is the partition's tag, all keys start with it.
local T = KEYS[1]
local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)
local BAND = 8796093022208 -- 2^43: milliseconds fit below it, priorities (0..1023) above
local LOG_MAX, TIMELINE_MAX = 10000, 200

local function int(n) return string.format('%.0f', n) end
local function job(id) return T .. ':j:' .. id end
local function event_of(id) return string.match(id, '^[^.]+') end
local function is_task(id) return string.find(id, '.', 1, true) ~= nil end

-- Monotone even after a failover to a replica with a stale counter: never below the clock in microseconds.
local function next_fence()
  local fence = math.max((tonumber(redis.call('HGET', T .. ':m', 'fence')) or 0) + 1, clock[1] * 1000000 + clock[2])
  redis.call('HSET', T .. ':m', 'fence', int(fence))
  return int(fence)
end

local function holds(id, fence)
  local h = redis.call('HMGET', job(id), 'st', 'f')
  return h[1] == 'leased' and h[2] == fence
end

local function log(level, what, id, text)
  redis.call('XADD', T .. ':ev', 'MAXLEN', '~', LOG_MAX, '*', 'l', level, 'w', what, 'i', id, 't', text or '')
end

local function note(event, what, by)
  redis.call('RPUSH', T .. ':h:' .. event, cjson.encode({int(NOW), what, by}))
  redis.call('LTRIM', T .. ':h:' .. event, -TIMELINE_MAX, -1)
end

-- Take a job out of whichever structure its header says it is in.
local function lift(id)
  local h = redis.call('HMGET', job(id), 'st', 'lane')
  local where = h[1] == 'ready' and ':r:' or h[1] == 'leased' and ':l:' or h[1] == 'waiting' and ':w:'
  if where then redis.call('ZREM', T .. where .. h[2], id) end
  return h[1], h[2]
end

-- The one way back into a lane: priority and age come from the header and so survive every detour.
local function push(id, lane)
  local h = redis.call('HMGET', job(id), 'pr', 'ms')
  redis.call('HSET', job(id), 'st', 'ready', 'lane', lane)
  redis.call('HDEL', job(id), 'f', 'due')
  redis.call('ZADD', T .. ':r:' .. lane, int(h[1] * BAND + h[2]), id)
  redis.call('SADD', T .. ':lanes', lane)
  redis.call('PUBLISH', T .. ':wake', lane)
end

local function wait_until(id, lane, due)
  redis.call('HSET', job(id), 'st', 'waiting', 'lane', lane, 'due', int(due))
  redis.call('HDEL', job(id), 'f')
  redis.call('ZADD', T .. ':w:' .. lane, int(due), id)
  redis.call('SADD', T .. ':lanes', lane)
end

local function settle(id, task_state)
  lift(id)
  redis.call('HSET', job(id), 'st', 'settled', 'state', task_state)
  redis.call('HDEL', job(id), 'f', 'due')
end

-- An event's state, its index and its counter change together or not at all.
local function set_state(event, state, by, why)
  local old = redis.call('HGET', job(event), 'state')
  if old == state then return end
  if old then redis.call('ZREM', T .. ':e:' .. old, event) end
  redis.call('ZADD', T .. ':e:' .. state, int(NOW), event)
  redis.call('HSET', job(event), 'state', state)
  redis.call('HINCRBY', T .. ':c', 'to:' .. state, 1)
  note(event, state .. ((why and why ~= '') and (': ' .. why) or ''), by)
end

local function tasks_of_run(event)
  local h = redis.call('HMGET', job(event), 'first', 'tasks')
  local ids = {}
  for n = tonumber(h[1]) or 1, tonumber(h[2]) or 0 do ids[#ids + 1] = event .. '.' .. n end
  return ids
end

-- Cancel what is still wanted of a panel. A holder finds out by its next extend, and its fence is void at once.
local function cancel_tasks(event, in_flight_too)
  local cancelled = 0
  for _, id in ipairs(tasks_of_run(event)) do
    local st = redis.call('HGET', job(id), 'st')
    if st == 'ready' or st == 'waiting' or (in_flight_too and st == 'leased') then
      settle(id, 'cancelled')
      cancelled = cancelled + 1
    end
  end
  return cancelled
end

-- One seat fewer to wait for. At the last seat, or at quorum plus grace, the delayed decision is pulled forward.
local function count_down(task, gave_vote)
  local event = event_of(task)
  local h = redis.call('HMGET', job(event), 'state', 'st', 'lane', 'due', 'quorum', 'grace', 'run')
  if h[7] ~= redis.call('HGET', job(task), 'run') then return end
  local left = redis.call('HINCRBY', job(event), 'left', -1)
  local votes = tonumber(redis.call('HINCRBY', job(event), 'votes', gave_vote and 1 or 0))
  if h[2] ~= 'waiting' or h[3] ~= 'decide' then
    if gave_vote then redis.call('HSET', job(task), 'late', 1) end
    return
  end
  if left <= 0 then
    redis.call('ZREM', T .. ':w:decide', event)
    push(event, 'decide')
  elseif votes >= tonumber(h[5] or 1) then
    local due = math.min(tonumber(h[4]), NOW + tonumber(h[6] or 0))
    redis.call('ZADD', T .. ':w:decide', int(due), event)
    redis.call('HSET', job(event), 'due', int(due))
  end
end

-- A seat whose event was decided, or runs anew, meanwhile: a late answer is kept, but nobody is asked again for it.
local function unwanted(task)
  local e = redis.call('HMGET', job(event_of(task)), 'state', 'lane', 'run')
  local open = (e[1] == 'routed' or e[1] == 'parked' or e[1] == 'consensus_pending') and e[2] == 'decide'
  return not open or e[3] ~= redis.call('HGET', job(task), 'run')
end

local function fail_event(event, class, code, message, by)
  redis.call('HSET', job(event), 'err', class, 'code', code, 'st', 'settled')
  redis.call('HDEL', job(event), 'f', 'due')
  redis.call('HSET', T .. ':x:' .. event, 'error', message)
  set_state(event, 'failed', by, class)
  log('error', 'failed', event, class)
end

-- Start over as a new run: same id, same priority, new age, counters at zero; what earlier runs left stays readable, and a seat
-- of theirs that is still being worked on is given up.
local function rerun(event, by, why)
  cancel_tasks(event, true)
  local run = redis.call('HINCRBY', job(event), 'run', 1)
  redis.call('HSET', job(event), 'ms', int(NOW), 'since', int(NOW), 'dv', 0, 'left', 0, 'votes', 0,
    'first', (tonumber(redis.call('HGET', job(event), 'tasks')) or 0) + 1)
  redis.call('HDEL', job(event), 'err', 'code', 'deadline', 'verdict', 'agree', 'ran', 'decided', 'decided_ms', 'split', 'findings', 'conflicts')
  redis.call('HDEL', T .. ':x:' .. event, 'error', 'reason')
  note(event, 'replay, run ' .. run .. ((why and why ~= '') and (': ' .. why) or ''), by)
  set_state(event, 'received', by)
  push(event, 'route')
end

-- Everything kept of a finished event and its seats goes; its delivery id goes by its own time.
local function forget_event(id)
  for n = 1, tonumber(redis.call('HGET', job(id), 'tasks')) or 0 do
    local task = id .. '.' .. n
    lift(task)
    redis.call('DEL', job(task), T .. ':a:' .. task, T .. ':t:' .. task)
  end
  redis.call('ZREM', T .. ':e:' .. redis.call('HGET', job(id), 'state'), id)
  for _, part in ipairs({'j', 'x', 'p', 'f', 'n', 'o', 'h'}) do redis.call('DEL', T .. ':' .. part .. ':' .. id) end
end
