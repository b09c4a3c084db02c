-- Forget finished events past their time or number. ARGV: older than ms, most to keep of one state, limit.
-- Failed and shed events are never forgotten here. Returns how many went.
local gone = 0
for _, state in ipairs({'resolved', 'ignored', 'superseded', 'cancelled'}) do
  local key = T .. ':e:' .. state
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', int(NOW - tonumber(ARGV[1])), 'LIMIT', 0, tonumber(ARGV[3]))
  local over = redis.call('ZCARD', key) - #ids - tonumber(ARGV[2])
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', key, #ids, #ids + math.min(over, tonumber(ARGV[3])) - 1)) do ids[#ids + 1] = id end
  end
  for _, id in ipairs(ids) do
    for n = 1, tonumber(redis.call('HGET', job(id), 'tasks')) or 0 do
      local task = id .. '.' .. n
      lift(task)
      redis.call('DEL', job(task), T .. ':a:' .. task, T .. ':t:' .. task)
    end
    redis.call('ZREM', key, id)
    for _, part in ipairs({'j', 'x', 'p', 'f', 'n', 'o', 'h'}) do redis.call('DEL', T .. ':' .. part .. ':' .. id) end
    gone = gone + 1
  end
end
return gone
