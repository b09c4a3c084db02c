-- Make waiting tasks claimable now. ARGV: ids. Returns how many were waiting.
local n = 0
for _, id in ipairs(ARGV) do
  if is_task(id) and call('HGET', J .. id, 'st') == 'waiting' then
    local _, lane = lift(id)
    local batched = call('HEXISTS', J .. id, 'bt') == 1
    call('HSET', J .. id, 'state', 'queued', unpack(batched and {'bt', 'back'} or {}))
    push(id, lane)
    n = n + 1
  end
end
return n
