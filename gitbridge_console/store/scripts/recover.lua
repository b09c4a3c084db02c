-- Take back expired leases, at most ARGV[1] a lane. ARGV: limit, deliveries after which a job is given up, most jobs of one repository
-- at once (0: any). Priority and age are kept. Lets go on what a cap holds that has room again.
-- Returns {recovered, buried, 1 where there may be more}.
local recovered, buried, looked, more = 0, 0, 0, 0
for _, lane in ipairs(call('SMEMBERS', T .. ':lanes')) do
  local expired = look('ZRANGEBYSCORE', T .. ':l:' .. lane, '-inf', NOW_MS, 'LIMIT', 0, ARGV[1])
  load_all(expired)
  for _, id in ipairs(expired) do
    if looked > 0 and is_long() then
      more = 1
      break
    end
    looked = looked + 1
    lift(id)
    local how = take_back(id, lane, tonumber(ARGV[2]), 0, 'its lease ran out')
    if how == 'again' then
      log('warning', 'recovered', id, lane)
      recovered = recovered + 1
    elseif how == 'buried' then
      buried = buried + 1
    end
  end
  if #expired == tonumber(ARGV[1]) then more = 1 end
end
local cap, budget = tonumber(ARGV[3]), tonumber(ARGV[1])
for _, place in ipairs(call('SRANDMEMBER', T .. ':held', budget)) do
  local lane, repository = string.match(place, '^(%S+) (%S+)$')
  local room = cap > 0 and cap - call('SCARD', T .. ':k:' .. lane .. ':' .. repository) or budget
  while room > 0 and budget > 0 and let_one_go(lane, repository) do room, budget = room - 1, budget - 1 end
end
return {recovered, buried, more}
