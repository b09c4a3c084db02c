-- The next of what a bulk operation is to do, at most so many, and what came of it: both change together, so an engine that dies leaves
-- nothing half counted and nothing is done twice. ARGV: operation, fence (of the engine that holds it; an older one is refused), most, by,
-- why, deed, then what the deed takes (to, front, lane). Entries are "<job> <run or -> <state or ->"; one whose event is not in that run
-- and state any more is skipped; those there is no time for stay. Returns {done, skipped, failed, left}, or {-1} to an older fence.
local op, deed, to, front, lane = ARGV[1], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local sums, todo, skips = T .. ':op:' .. op, T .. ':od:' .. op, T .. ':os:' .. op
if tonumber(ARGV[2]) < tonumber(call('HGET', sums, 'fence') or 0) then return {-1} end
call('HSET', sums, 'fence', ARGV[2])

local function changed_since(event, run, state)
  local h = hmget(event, 'state', 'run')
  if not h[1] then return 'it is gone' end
  if run ~= '-' and (h[2] or '1') ~= run then return 'it was replayed since' end
  if state ~= '-' and h[1] ~= state then return 'it is ' .. h[1] .. ' now' end
end

local function word_of(reply)
  if reply == '' then return 'it is gone' end
  if string.sub(reply, 1, 1) == '-' then return 'it is ' .. string.sub(reply, 2) .. ' now' end
end

local deeds = {
  replay = function(id) return word_of(transitions.replay({ARGV[4], ARGV[5], id})[1]) end,
  cancel = function(id) return word_of(transitions.cancel({ARGV[4], ARGV[5], id})[1]) end,
  prioritize = function(id)
    if transitions.reprioritize({to, front, ARGV[4], id})[1] == 0 then return 'nothing of it waits with another priority' end
  end,
  failover = function(id)
    local reply = transitions.reseat({lane, to, ARGV[4], '', id})[1]
    if reply ~= '' then return reply end
  end,
  failback = function(id)
    local reply = transitions.bring_back({lane, ARGV[4], '', id})[1]
    if reply ~= '' then return reply end
  end,
  flush = function(id)
    local h = hmget(id, 'st', 'lane')
    if h[2] ~= lane or (h[1] ~= 'ready' and h[1] ~= 'waiting' and h[1] ~= 'held') then return 'it waits there no more' end
    return word_of(transitions.cancel({ARGV[4], ARGV[5], event_of(id)})[1])
  end,
}

local done, skipped, failed = 0, 0, 0
local looked = 0
for n, entry in ipairs(tonumber(ARGV[3]) > 0 and call('LRANGE', todo, 0, ARGV[3] - 1) or {}) do
  if n > 1 and is_long() then break end
  looked = n
  local id, run, state = string.match(entry, '^(%S+) (%S+) (%S+)$')
  local why = changed_since(event_of(id), run, state)
  local fine = true
  if not why then fine, why = pcall(deeds[deed], id) end
  if not fine then
    why, failed = 'the script failed', failed + 1
  elseif why then
    skipped = skipped + 1
  else
    done = done + 1
  end
  if why then
    call('HINCRBY', sums, 'why:' .. why, 1)
    if call('LLEN', skips) < 200 then call('RPUSH', skips, id .. ' ' .. why) end
  end
end
if looked > 0 then call('LTRIM', todo, looked, -1) end
call('HINCRBY', sums, 'done', done)
call('HINCRBY', sums, 'skipped', skipped)
call('HINCRBY', sums, 'failed', failed)
return {done, skipped, failed, call('LLEN', todo)}
