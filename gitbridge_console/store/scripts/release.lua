-- Hand a job back. ARGV: id, fence, delay ms, "counted" or "uncounted", reason. Returns 1, or 0 when the fence is void.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return 0 end
if is_task(id) and unwanted(id) then
  settle(id, 'cancelled')
  return 1
end
local _, lane = lift(id)
if ARGV[4] == 'uncounted' then redis.call('HINCRBY', job(id), 'dv', -1) end
if is_task(id) then redis.call('HSET', job(id), 'state', tonumber(ARGV[3]) > 0 and 'waiting' or 'queued') end
if ARGV[5] ~= '' then note(event_of(id), ARGV[5], lane) end
if tonumber(ARGV[3]) > 0 then wait_until(id, lane, NOW + tonumber(ARGV[3])) else push(id, lane) end
return 1
