-- Bring seats that were moved by hand back to the lane they came from. ARGV: that lane, by, "look" (only say what would be) | "", task ids.
-- Only what waits goes back, and only what was not asked since it was moved: that was paid for. Priority and age are kept, a delay is
-- dropped. Returns for each, as far as it came, "" (it is back) or why not.
local home, look = ARGV[1], ARGV[3] == 'look'
local function why_not(id)
  local h = hmget(id, 'st', 'lane', 'state', 'hm', 'hc', 'ca')
  if not h[1] or not is_task(id) then return 'it is gone' end
  if h[4] ~= home or h[2] == home then return 'it is back already' end
  if h[1] == 'settled' then
    if h[3] == 'succeeded' then return h[2] .. ' answered it' end
    if h[3] == 'failed' then return 'it failed at ' .. h[2] end
    return 'its event is ' .. hget(event_of(id), 'state')
  end
  if h[1] == 'leased' then return h[2] .. ' is at work on it' end
  if tonumber(h[6] or 0) > tonumber(h[5] or 0) or waits_for_batch(id) then return h[2] .. ' was asked already' end
  if unwanted(id) then return 'its event is ' .. hget(event_of(id), 'state') end
  if lanes_taken(id)[home] then return home .. ' has a seat on the same panel' end
  return ''
end
local out = {}
for id in in_pieces(ARGV, 4) do
  local why = why_not(id)
  if why == '' and not look then
    reseat(id, hget(id, 'lane'), home, 'goes back', ARGV[2])
  end
  out[#out + 1] = why
end
return out
