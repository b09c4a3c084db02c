-- The pace of the collector of the server's functions. By itself it does many times the work of a call at every fiftieth call, in front of
-- whoever waits for the answer. At two fifths of the pace at which memory is asked for, and with a longer pause after each round, its work
-- comes evenly; the memory of the server's functions grows to some four times what they take themselves, about two megabytes.
local function pace()
  collectgarbage('setstepmul', 40)
  collectgarbage('setpause', 400)
end

-- Not every server lets its functions do that, and none while they are loaded.
local paced = false
local function at_its_pace(run)
  return function(keys, args)
    if not paced then
      paced = true
      pcall(pace)
    end
    return run(keys, args)
  end
end
