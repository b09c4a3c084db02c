-- What follows in this call comes after the event with this delivery: where that one is not in yet, for it was left, nothing of it is done.
-- ARGV: delivery.
ahead = not delivered(ARGV[1])
return ahead and 1 or 0
