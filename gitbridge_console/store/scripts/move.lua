-- Move tasks that nobody works on out of a lane. ARGV: from, "r" | "w" | "g:<repository>" (ready, waiting, held), how many at the head to
-- leave alone, most to look at, by, ms until its provider may be asked again (-1: nobody knows), "all" | "late" (only what cannot wait so
-- long), why ("" by hand), most calls of one provider for a task (0: any), then for each kind of event its name or "*", a number of
-- providers, and each with the tokens it can read (-1: any), best first. Unless by hand, what waits for a batch stays, for it is paid for,
-- and so does a question of the second round, which was made for its provider. Priority and age are kept, a delay is dropped: it was its
-- old provider's. A provider that has another seat of the panel is passed over, unless that one failed or was cancelled. Unless by hand, an
-- event none of whose seats was asked is parked when nobody can take its seat. Returns {moved, left alone, 1 where there may be more}.
local from, by, wait, late, why = ARGV[1], ARGV[5], tonumber(ARGV[6]), ARGV[7] == 'late', ARGV[8]
local kind, repository = string.match(ARGV[2], '^(%a):?(.*)$')
local key = T .. ':' .. kind .. ':' .. from .. (repository ~= '' and (':' .. repository) or '')

local most, targets, n = tonumber(ARGV[9]), {}, 10
while n <= #ARGV do
  local last = n + 1 + 2 * tonumber(ARGV[n + 1])
  targets[ARGV[n]] = {unpack(ARGV, n + 2, last)}
  n = last + 1
end

local function can_wait(id)
  local h = hmget(event_of(id), 'state', 'deadline')
  return h[1] ~= 'consensus_pending' or not h[2] or tonumber(h[2]) >= NOW + wait
end

local function free_lane(id)
  local h = hmget(id, 'kind', 'tk')
  local able, taken = targets[h[1]] or targets['*'] or {}, nil
  for i = 1, #able, 2 do
    local room = tonumber(able[i + 1])
    if able[i] ~= from and (room < 0 or tonumber(h[2] or 0) <= room) then
      taken = taken or lanes_taken(id)
      local used_up = most > 0 and tonumber(hget(id, 'ca:' .. able[i]) or 0) >= most
      if not taken[able[i]] and not used_up then return able[i] end
    end
  end
end

local moved, kept, start = 0, 0, tonumber(ARGV[3])
local found = call('ZRANGE', key, start, start + tonumber(ARGV[4]) - 1)
for id in in_pieces(found, 1) do
  local paid = why ~= '' and kind == 'w' and waits_for_batch(id)
  local made_for_it = why ~= '' and hget(id, 'q')
  local looked_at = is_task(id) and not paid and not made_for_it and not (late and can_wait(id))
  local to = looked_at and free_lane(id)
  if to then
    reseat(id, from, to, 'moves', by, why ~= '' and why or nil)
    moved = moved + 1
  else
    kept = kept + 1
    if looked_at and not late and why ~= '' then park(id, why, wait) end
  end
end
if moved > 0 and why ~= '' then log('warning', 'failover', from, moved .. ' seats moved: ' .. why) end
return {moved, kept, (#found == tonumber(ARGV[4]) or moved + kept < #found) and 1 or 0}
