-- Record an attempt that was cancelled after its question was sent: it cost money. ARGV: id, attempt JSON. Who holds the task does not
-- matter, and nothing else about it changes: limits on retries do not count what we cut off ourselves.
-- Returns 1, or 0 when the task is gone or the attempt stood there already.
local id = ARGV[1]
if not book(id, ARGV[2]) then return 0 end
hincrby(id, 'cc', 1)
return 1
