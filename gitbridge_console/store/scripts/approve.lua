-- An operator's word on an event that awaits it. ARGV: id, "approve" | "reject", by, note, SHA-1 of the decision that was looked at or "",
-- action JSON that is to be published exactly so or "".
-- Approved events go to `act`; rejected ones are resolved without an action. Returns the state it was in, "" when unknown, "changed" when
-- the decision is not the one that was looked at.
local id = ARGV[1]
local h = hmget(id, 'state', 'st')
if not h[1] then return '' end
if h[1] ~= 'awaiting_approval' or h[2] ~= 'settled' then return h[1] == 'awaiting_approval' and 'acting' or h[1] end
if ARGV[5] ~= '' and redis.sha1hex(call('GET', T .. ':n:' .. id) or '') ~= ARGV[5] then return 'changed' end
hset(id, 'operator', ARGV[2], 'dv', 0)
call('HSET', T .. ':x:' .. id, 'operator', ARGV[3], 'operator_note', ARGV[4])
if ARGV[6] ~= '' then call('SET', T .. ':o:' .. id, ARGV[6]) end
note(id, ARGV[2] .. (ARGV[4] ~= '' and (': ' .. ARGV[4]) or ''), ARGV[3])
if ARGV[2] == 'approve' then push(id, 'act') else set_state(id, 'resolved', ARGV[3], 'rejected, nothing was done') end
return 'awaiting_approval'
