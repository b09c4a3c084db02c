-- The pace of the collector of the server's functions. By itself it works while memory is asked for and, as long as many calls, at each
-- fiftieth call, in front of whoever waits for the answer. Here it does nothing while a call runs, and each ends with its share, by what it
-- took. So there is never much more garbage than what is in use, half a megabyte together, and what is taken next lies where something has
-- just been; of the fiftieth call's as little is left as can be, and from it on the collector runs again. It goes in small parts, and no
-- further once twice as much is free again as was taken: with all that can be freed at once the C library would have the pieces to sort at
-- once, each on a page of its own. A call that somebody waits for leaves its share, while it is small, to the next of another kind: how a job
-- ends, most of the time.
local SMALL_KB = 64
local WORK = 3 -- bytes gone through for each that was taken, at most; at less than one garbage may grow for ever
local PART_BYTES = 8192 -- gone through between two looks at what is free
local LEAST, STEP_BYTES = 1, 10 -- of `setstepmul`, and what one more of it has a step go through

local taken_kb
local function pace()
  collectgarbage('setstepmul', LEAST)
  collectgarbage('setpause', 100)
  taken_kb = collectgarbage('count')
end

local function collect()
  local kb = collectgarbage('count') - taken_kb
  if waited_for and kb < SMALL_KB then return end
  local enough_kb = taken_kb - kb
  collectgarbage('setstepmul', PART_BYTES / STEP_BYTES)
  for _ = 1, math.ceil(kb * 1024 * WORK / PART_BYTES) do
    if collectgarbage('step', 0) or collectgarbage('count') < enough_kb then break end
  end
  collectgarbage('setstepmul', LEAST)
  taken_kb = collectgarbage('count')
end

-- Not every server lets its functions do that, and none while they are loaded.
local asked = false
local function at_its_pace(run)
  return function(keys, args)
    if not asked then
      asked = true
      pcall(pace)
    end
    if taken_kb then collectgarbage('stop') end
    local reply = run(keys, args)
    if taken_kb then collect() end
    return reply
  end
end
