-- Change priorities. ARGV: priority, "front" | "", by, then ids of events or tasks; an event takes its waiting seats along.
-- Age is kept, so within its new class a job stands where it always would have. Returns how many jobs changed, per id, as far as it came.
local function set(id)
  local h = hmget(id, 'st', 'lane', 'pr', 'rp')
  if not h[1] or h[1] == 'settled' then return 0 end
  if h[3] == ARGV[1] and ARGV[2] == '' then return 0 end
  hset(id, 'pr', ARGV[1], 'pin', 1)
  if ARGV[2] == 'front' then
    -- How long it waited is kept apart.
    hsetnx(id, 'since', hget(id, 'ms'))
    hset(id, 'ms', front_place())
  end
  local score = int(ARGV[1] * BAND + hget(id, 'ms'))
  if h[1] == 'ready' then zput(T .. ':r:' .. h[2], id, score) end
  if h[1] == 'held' then zput(T .. ':g:' .. h[2] .. ':' .. h[4], id, score) end
  return 1
end
local out = {}
for id in in_pieces(ARGV, 4) do
  local changed = set(id)
  if not is_task(id) then
    for _, task in ipairs(tasks_of_run(id)) do changed = changed + set(task) end
  end
  if changed > 0 then note(event_of(id), 'priority ' .. ARGV[1] .. (ARGV[2] == 'front' and ', to the front' or ''), ARGV[3]) end
  out[#out + 1] = changed
end
return out
