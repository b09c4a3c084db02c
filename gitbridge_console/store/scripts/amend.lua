-- Replace an event's decision by one that an operator's word changed. ARGV: id, SHA-1 of the stored decision it was made from, decision
-- JSON, "open" (only while it awaits approval) | "any", by, note, then pairs for the header.
-- Returns "" for an unknown event, "none" without a decision, "changed" when it is not the one it was made from, else the event's state;
-- only then, and with "open" only in `awaiting_approval`, something was written.
local id = ARGV[1]
local h = hmget(id, 'state', 'st', 'decided')
if not h[1] then return '' end
-- An event that runs anew has none yet, whatever its last run left.
local stored = h[3] and call('GET', T .. ':n:' .. id)
if not stored then return 'none' end
if redis.sha1hex(stored) ~= ARGV[2] then return 'changed' end
local acting = h[1] == 'awaiting_approval' and h[2] ~= 'settled'
if ARGV[4] == 'open' and (h[1] ~= 'awaiting_approval' or acting) then return acting and 'acting' or h[1] end
call('SET', T .. ':n:' .. id, ARGV[3])
if #ARGV > 6 then hset(id, unpack(ARGV, 7)) end
local more = #ARGV[3] - #stored
hincrby(id, 'sz', more)
tally(B, h[1], more)
note(id, ARGV[6], ARGV[5])
return h[1]
