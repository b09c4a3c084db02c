-- Say to every console that dead letters could not be exported. ARGV: text, engine, ttl ms.
local key = T .. ':dt'
call('HSETNX', key, 'since', NOW_MS)
call('HSET', key, 'text', ARGV[1], 'engine', ARGV[2])
call('PEXPIRE', key, ARGV[3])
return 1
