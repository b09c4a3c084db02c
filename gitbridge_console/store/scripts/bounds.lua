-- What the enqueues of a group go by. ARGV: ms for which delivery ids are remembered, two digits of the partition, most undecided
-- events, soft and hard limit in bytes (0: none), least priority that may be shed (0: none).
remembered_ms, home, undecided_max = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
bytes_soft, bytes_hard, shed_from = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
return 1
