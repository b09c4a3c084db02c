-- Make tasks that wait for a batch claimable now. ARGV: ids. Returns 1 (it does) or 0 for each, as far as it came.
local out = {}
load(ARGV)
for n, id in ipairs(ARGV) do
  if n > 1 and is_long() then break end
  local waits = is_task(id) and waits_for_batch(id)
  if waits then
    local _, lane = lift(id)
    hset(id, 'state', 'queued')
    push(id, lane)
  end
  out[n] = waits and 1 or 0
end
return out
