-- Say to every console that dead letters could not be exported. ARGV: text, engine, ttl ms.
local key = T .. ':dt'
redis.call('HSETNX', key, 'since', int(NOW))
redis.call('HSET', key, 'text', ARGV[1], 'engine', ARGV[2])
redis.call('PEXPIRE', key, ARGV[3])
return 1
