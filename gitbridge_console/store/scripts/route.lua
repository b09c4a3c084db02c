-- Hand an event on from `route` to its panel. ARGV: id, fence, kind, priority, quorum, grace ms, limit ms (deadline), expires ms,
-- supersede key or "", version, tokens of the question, risk or "", number of seats, lane of each seat, then pairs for the text hash.
-- Returns {"routed"} | {"superseded", newer id} | {"lost"}; with the id of an event this one replaced as the last element.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return {'lost'} end
local subject, version, tokens, seats = ARGV[9], tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[13])
if #ARGV > 13 + seats then call('HSET', T .. ':x:' .. id, unpack(ARGV, 14 + seats)) end
take(id, ARGV[2])
local h = hmget(id, 'pin', 'pr', 'ms', 'run', 'tasks', 'rp')
local pin, ms, run, repository = h[1], h[3], h[4] or 1, h[6]
local priority = pin and h[2] or ARGV[4]

local replaced
if subject ~= '' then
  local key = T .. ':s:' .. subject
  local other, other_version = string.match(call('GET', key) or '', '^(%S+) (%S+)$')
  local is_older = other and other ~= id and tonumber(other_version) > version
  local its = other and other ~= id and hmget(other, 'state', 'ms', 'pin', 'pr') or {}
  local open = UNDECIDED[its[1]] or its[1] == 'awaiting_approval'
  -- An operator may replay an older head once the newer one is out of the way; a late one by itself never runs.
  if is_older and its[1] and (open or its[1] == 'resolved' or tonumber(run) == 1) then
    hset(id, 'kind', ARGV[3], 'pr', priority)
    rest(id)
    set_state(id, 'superseded', 'router', 'a newer head came first: ' .. other)
    return {'superseded', other}
  elseif open then
    -- The newer head takes over the place in line and a priority somebody asked for, else a change pushed every minute would
    -- never be reviewed.
    ms = its[2]
    if its[3] and not pin then
      pin, priority = 1, its[4]
      hset(id, 'pin', 1)
    end
    lift(other)
    cancel_tasks(other, true)
    rest(other)
    set_state(other, 'superseded', 'router', 'replaced by ' .. id)
    replaced = other
  end
  if not is_older then call('SET', key, id .. ' ' .. int(version), 'PX', 30 * 86400000) end
end

local first = (tonumber(h[5]) or 0) + 1
for seat = 1, seats do
  local task = id .. '.' .. (first + seat - 1)
  hset(task, 'pr', priority, 'ms', ms, 'run', run, 'kind', ARGV[3], 'state', 'queued', 'ca', 0, 'rp', repository or '',
    'seat', ARGV[13 + seat], 'tk', tokens)
  push(task, ARGV[13 + seat])
end
hset(id, 'kind', ARGV[3], 'pr', priority, 'ms', ms, 'first', first, 'tasks', first + seats - 1, 'left', seats, 'votes', 0,
  'quorum', ARGV[5], 'grace', ARGV[6], 'limit', ARGV[7], 'risk', ARGV[12], 'tk', tokens, 'dv', 0)
hsetnx(id, 'ran', NOW_MS)
grow(id, 512 * seats)
wait_until(id, 'decide', NOW + tonumber(ARGV[8]))
set_state(id, 'routed', 'router', table.concat(ARGV, ', ', 14, 13 + seats))
return replaced and {'routed', replaced} or {'routed'}
