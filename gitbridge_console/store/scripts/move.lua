-- Move ready and waiting tasks from one lane to another. ARGV: from, to, limit, by. Priority and age are kept; a task whose event
-- has another seat on the target stays. Returns {moved, left alone}.
local from, to = ARGV[1], ARGV[2]
local moved, kept = 0, 0
local ids = redis.call('ZRANGE', T .. ':r:' .. from, 0, tonumber(ARGV[3]) - 1)
if #ids < tonumber(ARGV[3]) then
  for _, id in ipairs(redis.call('ZRANGE', T .. ':w:' .. from, 0, tonumber(ARGV[3]) - #ids - 1)) do ids[#ids + 1] = id end
end
for _, id in ipairs(ids) do
  local taken = not is_task(id)
  if not taken then
    for _, other in ipairs(tasks_of_run(event_of(id))) do
      if other ~= id and redis.call('HGET', job(other), 'lane') == to then taken = true end
    end
  end
  if taken then
    kept = kept + 1
  else
    lift(id)
    redis.call('HSET', job(id), 'state', 'queued')
    note(event_of(id), 'seat ' .. id .. ' moves from ' .. from .. ' to ' .. to, ARGV[4])
    push(id, to)
    moved = moved + 1
  end
end
return {moved, kept}
