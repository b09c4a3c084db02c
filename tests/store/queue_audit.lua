-- What must hold of a queue at any moment. KEYS[1]: tag; ARGV: states of events at rest. Returns {events, what is wrong}.
local T, at_rest, wrong, where, owner = KEYS[1], {}, {}, {}, {}
local function say(...) wrong[#wrong + 1] = table.concat({...}, ' ') end
for i = 1, #ARGV do at_rest[ARGV[i]] = true end
local function place(key, word, lane)
  local found = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    if where[id] then say(id, 'stands in', where[id], 'and in', word, lane) end
    where[id] = word .. ' ' .. lane
    local h = redis.call('HMGET', T .. ':j:' .. id, 'st', 'lane', 'pr', 'ms', 'due')
    if h[1] ~= word or h[2] ~= lane then say(id, 'stands in', word, lane, 'and says', h[1] or '-', h[2] or '-') end
    local due = word == 'waiting' and tonumber(h[5]) or (word == 'ready' or word == 'held') and h[3] * 8796093022208 + h[4]
    -- Aged work stands in the class above.
    local score = tonumber(found[i + 1])
    if due and due ~= score and not (word ~= 'waiting' and score < due and (due - score) % 8796093022208 == 0) then
      say(id, 'has the score', found[i + 1], 'and its header says', due)
    end
  end
end
for _, lane in ipairs(redis.call('SMEMBERS', T .. ':lanes')) do
  place(T .. ':r:' .. lane, 'ready', lane)
  place(T .. ':l:' .. lane, 'leased', lane)
  place(T .. ':w:' .. lane, 'waiting', lane)
end
for _, name in ipairs(redis.call('SMEMBERS', T .. ':held')) do
  local lane, repository = string.match(name, '^(%S+) (%S+)$')
  place(T .. ':g:' .. lane .. ':' .. repository, 'held', lane)
  local own = ':' .. lane .. ':' .. repository
  if redis.call('SCARD', T .. ':k' .. own) == 0 and redis.call('EXISTS', T .. ':g' .. own) == 0 then
    say('the index of held jobs names', name, 'for nothing')
  end
end
local function check(id)
  local h = redis.call('HMGET', T .. ':j:' .. id, 'st', 'lane', 'state', 'k', 'rp')
  local expected = h[1] == 'settled' and 'nowhere' or (h[1] or '-') .. ' ' .. (h[2] or '-')
  if (where[id] or 'nowhere') ~= expected then say(id, 'is', where[id] or 'nowhere', 'and says', expected) end
  local counted = redis.call('SISMEMBER', T .. ':k:' .. (h[2] or '') .. ':' .. (h[5] or ''), id) == 1
  if (h[4] == '1') ~= counted then say(id, 'is counted wrongly for its repository') end
  if h[4] == '1' and h[1] ~= 'leased' then say(id, 'is counted and not leased') end
  where[id] = nil
  return h[1], h[3]
end
local total = 0
for _, key in ipairs(redis.call('KEYS', T .. ':e:*')) do
  local state, size = string.sub(key, #T + 4), 0
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    total = total + 1
    if owner[id] then say(id, 'is in the states', owner[id], 'and', state) end
    owner[id] = state
    local st, says = check(id)
    if says ~= state then say(id, 'is listed as', state, 'and says', says or '-') end
    if (st == 'settled') ~= (at_rest[state] or false) and not (state == 'awaiting_approval' and st ~= 'settled') then
      say(id, 'is', st or '-', 'in the state', state)
    end
    local h = redis.call('HMGET', T .. ':j:' .. id, 'tasks', 'first', 'sz', 'lane', 'left')
    size = size + tonumber(h[3])
    local open = 0
    for n = 1, tonumber(h[1]) or 0 do
      local task_st, task_state = check(id .. '.' .. n)
      local t = redis.call('HMGET', T .. ':j:' .. id .. '.' .. n, 'hs', 'hd')
      local other = t[1] or t[2]
      local its_st = other and redis.call('HGET', T .. ':j:' .. other, 'st')
      -- A seat and its hedge count as one: until both are over, or one has succeeded and so ended the other.
      if not t[2] and (task_st ~= 'settled' or (its_st and its_st ~= 'settled')) and n >= tonumber(h[2]) then open = open + 1 end
      if other and task_state == 'succeeded' and its_st ~= 'settled' then say(other, 'is still wanted, its other half succeeded') end
      if task_st ~= 'settled' and n < tonumber(h[2]) then say(id .. '.' .. n, 'belongs to an earlier run and is still wanted') end
      if task_st ~= 'settled' and task_st ~= 'leased' and at_rest[state] then say(id .. '.' .. n, 'waits, its event is', state) end
    end
    if h[4] == 'decide' and not at_rest[state] and st ~= 'settled' and tonumber(h[5]) ~= open then
      say(id, 'waits for', h[5], 'seats and has', open)
    end
  end
  local counted = tonumber(redis.call('HGET', T .. ':b', state) or 0)
  if size ~= counted then say(state, 'holds', size, 'bytes and counts', counted) end
end
for id in pairs(where) do say(id, 'stands in', where[id], 'and belongs to no event') end
return {total, wrong}
