-- Move single tasks that nobody works on to another provider, by hand. ARGV: from, to, by, "look" (only say what would be) | "", task ids.
-- Priority and age are kept, a delay is dropped: it was its old provider's. Returns for each, as far as it came, "" (moved) or why not.
local from, to, look = ARGV[1], ARGV[2], ARGV[4] == 'look'
local function why_not(id)
  local h = hmget(id, 'st', 'lane')
  if not h[1] or not is_task(id) then return 'it is gone' end
  if h[1] == 'leased' and h[2] == from then return 'it is being worked on' end
  if h[2] ~= from or (h[1] ~= 'ready' and h[1] ~= 'waiting' and h[1] ~= 'held') then return 'it waits there no more' end
  if lanes_taken(id)[to] then return to .. ' has a seat on the same panel' end
  return ''
end
local out = {}
for i = 5, #ARGV do
  if i > 5 and is_long() then break end
  local id = ARGV[i]
  local why = why_not(id)
  if why == '' and not look then
    reseat(id, from, to, 'moves', ARGV[3])
  end
  out[#out + 1] = why
end
return out
