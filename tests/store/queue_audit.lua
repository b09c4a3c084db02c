-- What must hold of a queue at any moment. KEYS[1]: tag; ARGV: states of events at rest. Returns {events, what is wrong}.
local T, at_rest, wrong, where, owner = KEYS[1], {}, {}, {}, {}
local function say(...) wrong[#wrong + 1] = table.concat({...}, ' ') end
-- A job's header, as scripts see it: `_work.lua`, read anew.
local function header(id)
  local raw, lease, h = redis.call('GET', T .. ':j:' .. id), redis.call('HGET', T .. ':fences', id), {}
  if not raw then return h end
  local at = string.find(raw, '\n', 1, true)
  local text = at and string.sub(raw, 1, at - 1) or raw
  local sz, st, lane, state, dv, pr, ms, rx, rp, json = string.match(text, '^(%S+) (%S+) (%S*) (%S*) (%S+) (%S+) (%S+) (%S*) (%S*) ({.*})$')
  h = cjson.decode(json)
  h.sz, h.st, h.lane, h.state, h.pr, h.ms, h.rp = sz, st, lane, state, pr, ms, rp
  if lease then
    h.st, h.k = 'leased', string.match(lease, ' (1)$')
    if st ~= 'ready' then say(id, 'has a fence and is', st) end
  end
  return h
end
for i = 1, #ARGV do at_rest[ARGV[i]] = true end
local below_long_member = '(9007199254740991'
local function place(key, word, lane)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', below_long_member, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    if where[id] then say(id, 'stands in', where[id], 'and in', word, lane) end
    where[id] = word .. ' ' .. lane
    local h = header(id)
    if h.st ~= word or h.lane ~= lane then say(id, 'stands in', word, lane, 'and says', h.st or '-', h.lane or '-') end
    local due = word == 'waiting' and tonumber(h.due) or (word == 'ready' or word == 'held') and h.pr * 8796093022208 + h.ms
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
  local h = header(id)
  local expected = h.st == 'settled' and 'nowhere' or (h.st or '-') .. ' ' .. (h.lane or '-')
  if (where[id] or 'nowhere') ~= expected then say(id, 'is', where[id] or 'nowhere', 'and says', expected) end
  local counted = redis.call('SISMEMBER', T .. ':k:' .. (h.lane or '') .. ':' .. (h.rp or ''), id) == 1
  if (h.k == '1') ~= counted then say(id, 'is counted wrongly for its repository') end
  where[id] = nil
  return h
end
local total = 0
for _, key in ipairs(redis.call('KEYS', T .. ':e:*')) do
  local state, size = string.sub(key, #T + 4), 0
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    total = total + 1
    if owner[id] then say(id, 'is in the states', owner[id], 'and', state) end
    owner[id] = state
    local h = check(id)
    local st = h.st
    if h.state ~= state then say(id, 'is listed as', state, 'and says', h.state or '-') end
    if (st == 'settled') ~= (at_rest[state] or false) and not (state == 'awaiting_approval' and st ~= 'settled') then
      say(id, 'is', st or '-', 'in the state', state)
    end
    size = size + tonumber(h.sz)
    local open = 0
    for n = 1, tonumber(h.tasks) or 0 do
      local t = check(id .. '.' .. n)
      local task_st, task_state = t.st, t.state
      local other = t.hs or t.hd
      local its_st = other and header(other).st
      -- A seat and its hedge count as one: until both are over, or one has succeeded and so ended the other.
      if not t.hd and (task_st ~= 'settled' or (its_st and its_st ~= 'settled')) and n >= tonumber(h.first) then open = open + 1 end
      if other and task_state == 'succeeded' and its_st ~= 'settled' then say(other, 'is still wanted, its other half succeeded') end
      if task_st ~= 'settled' and n < tonumber(h.first) then say(id .. '.' .. n, 'belongs to an earlier run and is still wanted') end
      if task_st ~= 'settled' and task_st ~= 'leased' and at_rest[state] then say(id .. '.' .. n, 'waits, its event is', state) end
    end
    if h.lane == 'decide' and not at_rest[state] and st ~= 'settled' and tonumber(h.left) ~= open then
      say(id, 'waits for', h.left, 'seats and has', open)
    end
  end
  local counted = tonumber(redis.call('HGET', T .. ':b', state) or 0)
  if size ~= counted then say(state, 'holds', size, 'bytes and counts', counted) end
end
-- What makes an index of the hash is no fence, and the only field that is empty.
local leased, fences = 0, 0
for _, held in ipairs(redis.call('HVALS', T .. ':fences')) do
  if held ~= '' then fences = fences + 1 end
end
for _, lane in ipairs(redis.call('SMEMBERS', T .. ':lanes')) do
  local key = T .. ':l:' .. lane
  leased = leased + redis.call('ZCOUNT', key, '-inf', below_long_member)
end
if leased ~= fences then say('leases', leased, 'and fences', fences) end
for id in pairs(where) do say(id, 'stands in', where[id], 'and belongs to no event') end
return {total, wrong}
