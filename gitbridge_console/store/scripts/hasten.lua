-- Make waiting tasks claimable now. ARGV: ids. Returns how many were waiting.
local n = 0
for _, id in ipairs(ARGV) do
  if is_task(id) and call('HGET', J .. id, 'st') == 'waiting' then
    local _, lane = lift(id)
    call('HDEL', J .. id, 'bt')
    call('HSET', J .. id, 'state', 'queued')
    push(id, lane)
    n = n + 1
  end
end
return n
