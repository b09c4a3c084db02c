-- Hand an event on from `route` to its panel. ARGV: id, fence, kind, priority, quorum, grace ms, limit ms (deadline), expires ms,
-- supersede key or "", version, number of seats, lane of each seat, then pairs for the text hash.
-- Returns {"routed"} | {"superseded", newer id} | {"lost"}; with the id of an event this one replaced as the last element.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return {'lost'} end
local subject, version, seats = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
for i = 12 + seats, #ARGV, 2 do redis.call('HSET', T .. ':x:' .. id, ARGV[i], ARGV[i + 1]) end
local priority = redis.call('HGET', job(id), 'pin') and redis.call('HGET', job(id), 'pr') or ARGV[4]
redis.call('HSET', job(id), 'kind', ARGV[3], 'pr', priority)
lift(id)

local replaced
if subject ~= '' then
  local key = T .. ':s:' .. subject
  local other, other_version = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
  if other and other ~= id then
    local state = redis.call('HGET', job(other), 'state')
    local open = state == 'received' or state == 'routed' or state == 'parked' or state == 'consensus_pending' or state == 'awaiting_approval'
    if tonumber(other_version) > version and (open or state == 'resolved') then
      redis.call('HSET', job(id), 'st', 'settled')
      redis.call('HDEL', job(id), 'f', 'due')
      set_state(id, 'superseded', 'router', 'a newer head came first: ' .. other)
      return {'superseded', other}
    elseif open then
      -- The newer head takes over the place in line, else a change pushed every minute would never be reviewed.
      redis.call('HSET', job(id), 'ms', redis.call('HGET', job(other), 'ms'))
      lift(other)
      cancel_tasks(other, true)
      redis.call('HSET', job(other), 'st', 'settled')
      redis.call('HDEL', job(other), 'f', 'due')
      set_state(other, 'superseded', 'router', 'replaced by ' .. id)
      replaced = other
    end
  end
  redis.call('SET', key, id .. ' ' .. int(version), 'PX', 30 * 86400000)
end

local h = redis.call('HMGET', job(id), 'ms', 'run', 'tasks')
local first = (tonumber(h[3]) or 0) + 1
for seat = 1, seats do
  local task = id .. '.' .. (first + seat - 1)
  redis.call('HSET', job(task), 'pr', priority, 'ms', h[1], 'run', h[2], 'kind', ARGV[3], 'state', 'queued', 'dv', 0, 'ca', 0,
    'seat', ARGV[11 + seat])
  push(task, ARGV[11 + seat])
end
redis.call('HSET', job(id), 'first', first, 'tasks', first + seats - 1, 'left', seats, 'votes', 0, 'quorum', ARGV[5], 'grace', ARGV[6],
  'limit', ARGV[7], 'dv', 0)
redis.call('HSETNX', job(id), 'ran', int(NOW))
wait_until(id, 'decide', NOW + tonumber(ARGV[8]))
set_state(id, 'routed', 'router', table.concat(ARGV, ', ', 12, 11 + seats))
return replaced and {'routed', replaced} or {'routed'}
