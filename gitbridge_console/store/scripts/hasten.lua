-- Make tasks that wait for a batch claimable now. ARGV: ids. Returns how many did.
local n = 0
for _, id in ipairs(ARGV) do
  if is_task(id) and waits_for_batch(id) then
    local _, lane = lift(id)
    hset(id, 'state', 'queued')
    push(id, lane)
    n = n + 1
  end
end
return n
