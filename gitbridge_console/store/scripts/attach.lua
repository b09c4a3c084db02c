-- Keep the diff of an event that was fetched for it. ARGV: id, fence, the diff, deflated. Returns 1, or 0 when the fence is void.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return 0 end
local before = call('STRLEN', T .. ':f:' .. id)
call('SET', T .. ':f:' .. id, ARGV[3])
hset(id, 'df', 1)
grow(id, #ARGV[3] - before)
return 1
