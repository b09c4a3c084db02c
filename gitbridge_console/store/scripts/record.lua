-- Record an attempt that was cancelled after its question was sent: it cost money. ARGV: id, fence, attempt JSON.
-- Nothing else about the task changes, and a void fence does not matter. Returns 1, or 0 when the task is gone or it stood there already.
local id = ARGV[1]
if not book(id, ARGV[3]) then return 0 end
local lane = holds(id, ARGV[2])
if lane then
  call('HINCRBY', J .. id, 'ca', 1)
  call('HINCRBY', J .. id, 'ca:' .. lane, 1)
end
return 1
