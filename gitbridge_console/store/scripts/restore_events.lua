-- Put events of a backup back, each once. ARGV: for each its id, state, since when in ms, how many texts follow, and these: names and dumps
-- as `pack_events` gives them. Each takes its place in its lane and state anew; what was being worked on waits again, for a lease changes
-- no record. One that is there already is left as it is. Returns {how many were not, how much of ARGV there was time for}.
local function places_of(ids)
  load(ids)
  for _, id in ipairs(ids) do
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

local events, n = {}, 1
while n <= #ARGV do
  events[#events + 1] = n
  n = n + 4 + tonumber(ARGV[n + 3])
end
local ids = {}
for place, at in ipairs(events) do ids[place] = ARGV[at] end
load(ids)

local new, jobs, read = {}, {}, #ARGV
for place, at in ipairs(events) do
  if place > 1 and is_long() then
    read = at - 1
    break
  end
  local event, state = ids[place], ARGV[at + 1]
  -- A record alone is not enough: an earlier try may have failed between two keys.
  if not call('ZSCORE', key(':e:', hget(event, 'state') or state), event) then
    for i = at + 4, at + 3 + tonumber(ARGV[at + 3]), 2 do
      call('RESTORE', T .. ':' .. ARGV[i], 0, ARGV[i + 1], 'REPLACE')
      if sub(ARGV[i], 1, 2) == 'j:' then
        local id = sub(ARGV[i], 3)
        jobs[#jobs + 1] = id
        records[id] = nil
      end
    end
    new[#new + 1] = at
  end
end
places_of(jobs)
-- Last: whoever has a state is there, with all its keys and places, even where one of those after it cannot be restored.
for _, at in ipairs(new) do
  zput(key(':e:', ARGV[at + 1]), ARGV[at], ARGV[at + 2])
  tally(B, ARGV[at + 1], tonumber(hget(ARGV[at], 'sz')) or 0)
end
return {#new, read}
