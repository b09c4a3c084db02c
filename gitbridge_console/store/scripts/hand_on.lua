-- Move an event to its next stage, or end it. ARGV: id, fence, lane or "" (end here), state, by, then pairs of a name and what it says:
-- why; delay (ms); cancel (seats that wait); decision and action (JSON); record, for the log of decisions, with prev and hash (of the
-- log's head and its own) and entries and bytes (most of the log after it); `h:<name>` a field of the header, `x:<name>` of the texts.
-- Returns 1, 0 when the fence is void, or {the head's hash} when another record came first: nothing was done then.
local id, lane, state, by = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local given, header, texts = {}, nil, nil
for i = 6, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  local kind = sub(name, 1, 2)
  if kind == 'h:' then
    header = header or {}
    header[#header + 1] = sub(name, 3)
    header[#header + 1] = value
  elseif kind == 'x:' then
    texts = texts or {}
    texts[#texts + 1] = sub(name, 3)
    texts[#texts + 1] = value
  else
    given[name] = value
  end
end
if not holds(id, ARGV[2]) then return 0 end
if given.record then
  local seq, head = append_link(given.prev, given.hash, given.record, tonumber(given.entries), tonumber(given.bytes))
  if not seq then return {head} end
end
-- What the server could refuse comes first: then the job is still held, and is taken back when its lease runs out.
if texts then call('HSET', T .. ':x:' .. id, unpack(texts)) end
if given.decision then
  call('SET', T .. ':n:' .. id, given.decision)
  call('XADD', T .. ':dn', 'MAXLEN', '~', 10000, '*', 'e', id)
end
if given.action then call('SET', T .. ':o:' .. id, given.action) end
local _, old, size = take(id, ARGV[2])
local h, why, delay = record(id), given.why or '', tonumber(given.delay) or 0
h.st, h.state = lane == '' and 'settled' or 'moving', state
if header then hset(id, unpack(header)) end
if given.cancel then cancel_tasks(id, false) end
if given.decision then
  local made = hmget(id, 'decided', 'split')
  if made[1] then tally(C, 'decided:' .. made[1], 1) end
  if made[2] == '1' then tally(C, 'decided:split', 1) end
end
if old ~= state then enter_state(id, old, state, size, by, why) end
grow(id, #(given.decision or '') + #(given.action or ''))
if lane == '' then
  log(state == 'failed' and 'error' or state == 'shed' and 'warning' or 'info', state, id, why)
elseif delay > 0 then
  hincrby(id, 'dv', -1)
  local panel = hmget(id, 'left', 'votes', 'quorum', 'grace')
  if lane == 'decide' and (tonumber(panel[1]) or 1) <= 0 then
    -- The last seat came in while this was being decided to wait for it.
    push(id, lane)
  else
    local quorate = lane == 'decide' and tonumber(panel[2] or 0) >= tonumber(panel[3] or 1)
    wait_until(id, lane, NOW + (quorate and math.min(delay, tonumber(panel[4] or 0)) or delay))
  end
else
  h.dv = '0'
  push(id, lane)
end
return 1
