-- A bulk operation is over here: what is left of it is not done any more. ARGV: operation. Returns how much that was.
local sums, todo = T .. ':op:' .. ARGV[1], T .. ':od:' .. ARGV[1]
local left = call('LLEN', todo)
if left > 0 then
  call('UNLINK', todo)
  call('HINCRBY', sums, 'dropped', left)
end
return left
