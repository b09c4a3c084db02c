-- As `bulk`, for replays: they alone need room, and may be refused where there is none.
return transitions.bulk(ARGV)
