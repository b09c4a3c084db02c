-- Where a lane stands. ARGV: lane. Returns {score of its first job or "", ms until the next waiting job is due or -1}.
local first = call('ZRANGE', T .. ':r:' .. ARGV[1], 0, 0, 'WITHSCORES')
local due = call('ZRANGE', T .. ':w:' .. ARGV[1], 0, 0, 'WITHSCORES')
return {first[2] or '', due[2] and math.max(0, tonumber(due[2]) - NOW) or -1}
