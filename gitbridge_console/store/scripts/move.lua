-- Move tasks that nobody works on from one lane to another. ARGV: from, to, "r" | "w" | "g:<repository>" (ready, waiting, held),
-- how many at the head to leave alone, most to look at, by. Priority and age are kept; a task whose event has another seat on the
-- target stays, unless that one failed or was cancelled. A delay is dropped: it was its old provider's. Returns {moved, left alone}.
local from, to = ARGV[1], ARGV[2]
local kind, repository = string.match(ARGV[3], '^(%a):?(.*)$')
local key = T .. ':' .. kind .. ':' .. from .. (repository ~= '' and (':' .. repository) or '')
local moved, kept, start = 0, 0, tonumber(ARGV[4])
for _, id in ipairs(call('ZRANGE', key, start, start + tonumber(ARGV[5]) - 1)) do
  local taken = not is_task(id) or lanes_taken(id)[to]
  if taken then
    kept = kept + 1
  else
    lift(id)
    call('HSET', J .. id, 'state', 'queued')
    note(event_of(id), 'seat ' .. id .. ' moves from ' .. from .. ' to ' .. to, ARGV[6])
    push(id, to)
    moved = moved + 1
  end
end
return {moved, kept}
