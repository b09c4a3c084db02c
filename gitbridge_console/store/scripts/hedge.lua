-- A seat's attempt takes long: a second task for the same seat, its hedge, in another provider's lane, at the front of its class. The two
-- count as one seat, see `seat_ends`. ARGV: id, fence, then the providers it may go to, best first; one that sits on the panel is passed
-- over. Returns the lane, "" when nobody is free or the seat has or is a hedge or a question of the second round, false when the fence is void or nobody wants the answer.
local id = ARGV[1]
if not holds(id, ARGV[2]) or unwanted(id) then return false end
local h = hmget(id, 'pr', 'run', 'kind', 'rp', 'tk', 'ca', 'hs', 'hd', 'q')
if h[7] or h[8] or h[9] then return '' end
local taken, target = lanes_taken(id), nil
for i = 3, #ARGV do
  if not taken[ARGV[i]] then target = ARGV[i] break end
end
if not target then return '' end
local event = event_of(id)
local hedge = event .. '.' .. hincrby(event, 'tasks', 1)
hset(id, 'hs', hedge)
hset(hedge, 'pr', h[1], 'ms', front_place(), 'run', h[2] or 1, 'kind', h[3], 'state', 'queued', 'ca', 0, 'cx', h[6] + 1,
  'rp', h[4] or '', 'seat', target, 'tk', h[5] or 0, 'hd', id)
push(hedge, target)
grow(event, 512)
note(event, 'seat ' .. id .. ' takes long, ' .. target .. ' is asked as well: ' .. hedge, 'router')
return target
