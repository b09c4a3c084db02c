-- Move an event to its next stage, or end it. ARGV: id, fence, lane or "" (end here), delay ms, state, by, why,
-- "cancel" | "keep" (waiting seats), decision JSON or "", action JSON or "", record for the log of decisions or "" with the head's hash
-- and its own before it and most entries and bytes of the log after it, number of header pairs, pairs for the header, then pairs for the
-- text hash. Returns 1, 0 when the fence is void, or {the head's hash} when another record came first: nothing was done then.
local id, lane, state = ARGV[1], ARGV[3], ARGV[5]
if ARGV[13] ~= '' and holds(id, ARGV[2]) then
  local seq, head = append_link(ARGV[11], ARGV[12], ARGV[13], tonumber(ARGV[14]), tonumber(ARGV[15]))
  if not seq then return {head} end
end
local its_lane, old, size = take(id, ARGV[2])
if not its_lane then return 0 end
local pairs_end, delay = 16 + 2 * tonumber(ARGV[16]), tonumber(ARGV[4])
local ends = lane == '' and 'settled' or 'moving'
call('HSET', J .. id, 'st', ends, 'state', state, unpack(ARGV, 17, pairs_end))
if #ARGV > pairs_end then call('HSET', T .. ':x:' .. id, unpack(ARGV, pairs_end + 1)) end
if ARGV[8] == 'cancel' then cancel_tasks(id, false) end
if ARGV[9] ~= '' then
  call('SET', T .. ':n:' .. id, ARGV[9])
  call('XADD', T .. ':dn', 'MAXLEN', '~', 10000, '*', 'e', id)
  local made = call('HMGET', J .. id, 'decided', 'split')
  if made[1] then tally(C, 'decided:' .. made[1], 1) end
  if made[2] == '1' then tally(C, 'decided:split', 1) end
end
if ARGV[10] ~= '' then call('SET', T .. ':o:' .. id, ARGV[10]) end
if old ~= state then enter_state(id, old, state, size, ARGV[6], ARGV[7]) end
grow(id, #ARGV[9] + #ARGV[10])
if lane == '' then
  if state == 'failed' then log('error', 'failed', id, ARGV[7])
  elseif state == 'shed' then log('warning', 'shed', id, ARGV[7])
  else log('info', state, id, ARGV[7]) end
elseif delay > 0 then
  call('HINCRBY', J .. id, 'dv', -1)
  local h = call('HMGET', J .. id, 'left', 'votes', 'quorum', 'grace')
  if lane == 'decide' and (tonumber(h[1]) or 1) <= 0 then
    -- The last seat came in while this was being decided to wait for it.
    push(id, lane)
  else
    local quorate = lane == 'decide' and tonumber(h[2] or 0) >= tonumber(h[3] or 1)
    wait_until(id, lane, NOW + (quorate and math.min(delay, tonumber(h[4] or 0)) or delay))
  end
else
  call('HSET', J .. id, 'dv', 0)
  push(id, lane)
end
return 1
