-- Let old work catch up. ARGV: aging ms, most jobs a class and lane. A job of class normal that waited for so long is claimed with the
-- class high, low after twice and bulk after three times as long; at its age it stands before what came later. Critical work is never
-- overtaken. Its own priority stays in the header. Returns {raised, 1 where there may be more}.
local raised, more = 0, 0
local REAL = 100000000000 -- smaller places in line were given by "to the front" and say nothing of age
for _, lane in ipairs(call('SMEMBERS', T .. ':lanes')) do
  local key = T .. ':r:' .. lane
  for class = 300, 500, 100 do
    local oldest = NOW - ARGV[1] * (class / 100 - 2)
    local found = call('ZRANGEBYSCORE', key, int(class * BAND + REAL), int(class * BAND + math.max(REAL, oldest)), 'WITHSCORES', 'LIMIT', 0, ARGV[2])
    for i = 1, #found, 2 do
      zput(key, found[i], int(found[i + 1] - (class - 200) * BAND))
      raised = raised + 1
    end
    if #found == 2 * ARGV[2] then more = 1 end
    write_sets()
    if raised > 0 and is_long() then return {raised, 1} end
  end
end
return {raised, more}
