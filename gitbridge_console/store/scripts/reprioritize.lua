-- Change priorities. ARGV: priority, "front" | "", by, then ids of events or tasks; an event takes its waiting seats along.
-- Age is kept, so within its new class a job stands where it always would have. Returns how many jobs changed, per id.
local function set(id)
  if redis.call('EXISTS', job(id)) == 0 then return 0 end
  local h = redis.call('HMGET', job(id), 'st', 'lane', 'pr')
  if h[1] == 'settled' then return 0 end
  if h[3] == ARGV[1] and ARGV[2] == '' then return 0 end
  redis.call('HSET', job(id), 'pr', ARGV[1], 'pin', 1)
  -- "Front of its class": older than anything real; a later front goes before an earlier one.
  if ARGV[2] == 'front' then redis.call('HSET', job(id), 'ms', int(1000000000 - redis.call('HINCRBY', T .. ':m', 'bump', 1))) end
  if h[1] == 'ready' then
    redis.call('ZADD', T .. ':r:' .. h[2], 'XX', int(ARGV[1] * BAND + redis.call('HGET', job(id), 'ms')), id)
  end
  return 1
end
local out = {}
for i = 4, #ARGV do
  local id = ARGV[i]
  local changed = set(id)
  if not is_task(id) then
    for _, task in ipairs(tasks_of_run(id)) do changed = changed + set(task) end
  end
  if changed > 0 then note(event_of(id), 'priority ' .. ARGV[1] .. (ARGV[2] == 'front' and ', to the front' or ''), ARGV[3]) end
  out[#out + 1] = changed
end
return out
