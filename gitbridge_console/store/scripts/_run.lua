-- Runs transitions: one by itself, or a group of them in their order.
local function reply_of(name, args)
  local ok, reply = pcall(transitions[name], args)
  if ok or type(reply) == 'table' then return reply end
  return redis.error_reply(tostring(reply))
end

-- Shares of a call's time. An operator's or the upkeep's can come in more calls, while events wait for those of groups. Where transitions
-- share a call there is the more to write at its end, which takes several times as long while the server writes its file anew.
local ALONE, TOGETHER = 0.375, 0.75

local waited_for -- whether a call does nothing but take in single events and claim

-- ARGV: name, then the transition's own.
local function run_one(KEYS, ARGV)
  begin(KEYS[1], CALL_S * ALONE)
  waited_for = false
  -- One by one: of what restores events there may be more than Lua can unpack.
  local args = {}
  for i = 2, #ARGV do args[i - 1] = ARGV[i] end
  local reply = reply_of(ARGV[1], args)
  finish()
  return reply
end

-- ARGV: JSON, a list of the names and then for each a list of its arguments; a list for an argument has the place of a binary one
-- that follows in ARGV. One large argument is read three times as fast as many small ones. Returns a reply, or an error, for each; LEFT
-- from the first on that there is no time for.
local function run_group(KEYS, ARGV)
  begin(KEYS[1], CALL_S)
  waited_for = true
  local asked = cjson.decode(ARGV[1])
  local names, ids, claims, replies, done = asked[1], {}, {}, {}, 0
  for n = 1, #names do
    local name, args = names[n], asked[n + 1]
    if #ARGV > 1 then
      for i = 1, #args do
        if type(args[i]) == 'table' then args[i] = ARGV[args[i][1]] end
      end
    end
    local id = args[1]
    if name ~= 'claim' and name ~= 'enqueue' and name ~= 'bounds' then waited_for = false end
    if name == 'enqueue_all' then
      for i = 6, #args, 2 do expected[#expected + 1] = args[i] end
    elseif name == 'claim' then
      claims[#claims + 1] = n
    elseif name == 'enqueue' or name == 'after' then
      expected[#expected + 1] = id
    elseif name ~= 'extend' and name ~= 'bounds' and name ~= 'conclude' then
      ids[#ids + 1] = id
      if is_task(id) then ids[#ids + 1] = event_of(id) end
    end
  end
  load(ids)
  local function run(n)
    local name = names[n]
    if name == 'bounds' or name == 'after' then
      replies[n] = reply_of(name, asked[n + 1])
    elseif ahead or (done > 0 and is_long(name ~= 'claim' and TOGETHER)) then
      replies[n] = LEFT
    else
      replies[n], done = reply_of(name, asked[n + 1]), done + 1
      if name == 'enqueue' and done % PIECE == 0 then write_taken_in() end
    end
  end
  for n = 1, #names do
    if names[n] ~= 'claim' then run(n) end
  end
  -- After all else, so that what was handed on or back is claimed with it.
  for _, n in ipairs(claims) do run(n) end
  finish()
  return replies
end
