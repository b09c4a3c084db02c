-- The pace of the collector of the server's functions. By itself it does many times the work of a call at every fiftieth call, in front of
-- whoever waits for the answer. As slow as memory is asked for, and with a longer pause after each round, it does less of that at once, and
-- less in all; the memory of the server's functions grows to some four times what they take themselves, about two megabytes.
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
