-- Append a record to the partition's chain of decisions. ARGV: hash of the head it was made for, its own hash, the record, most entries,
-- most bytes. Returns its number, or {the head's hash} when another record came first; nothing was written then.
local seq, head = append_link(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
return seq or {head}
