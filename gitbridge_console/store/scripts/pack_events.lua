-- Everything that is kept of events, each as it stands now. ARGV: bytes after which no further one is packed, then event ids. Returns for
-- each, as far as it came and there is time, {id, state, since when in ms, then the letter and what follows of each of its keys with what DUMP gives of it};
-- an empty list for one that is gone.
local out, bytes = {}, 0
for i = 2, #ARGV do
  if bytes >= tonumber(ARGV[1]) or (i > 2 and is_long()) then break end
  local event, found = ARGV[i], {}
  local h = hmget(event, 'state', 'tasks')
  if h[1] then
    found = {event, h[1], call('ZSCORE', T .. ':e:' .. h[1], event) or NOW_MS}
    local function add(name)
      local dumped = call('DUMP', T .. ':' .. name)
      if dumped then
        found[#found + 1] = name
        found[#found + 1] = dumped
        bytes = bytes + #dumped
      end
    end
    for _, part in ipairs({'j', 'x', 'p', 'f', 'n', 'o', 'h', 'v'}) do add(part .. ':' .. event) end
    for n = 1, tonumber(h[2]) or 0 do
      for _, part in ipairs({'j', 'a', 't'}) do add(part .. ':' .. event .. '.' .. n) end
    end
  end
  out[#out + 1] = found
end
return out
