-- Cancel events that are not finished. ARGV: by, why, then event ids. Holders lose their fence at once.
-- Returns the state each was in, "" for unknown ones, "-state" for those left alone.
local open = {received = 1, routed = 1, parked = 1, consensus_pending = 1, awaiting_approval = 1}
local out = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local state = redis.call('HGET', job(id), 'state')
  if not state or is_task(id) then
    out[#out + 1] = ''
  elseif open[state] then
    lift(id)
    cancel_tasks(id, true)
    redis.call('HSET', job(id), 'st', 'settled')
    redis.call('HDEL', job(id), 'f', 'due')
    set_state(id, 'cancelled', ARGV[1], ARGV[2])
    out[#out + 1] = state
  else
    out[#out + 1] = '-' .. state
  end
end
return out
