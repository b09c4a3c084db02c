-- Forget dead letters that were exported, and say so: nothing goes without a line in the log and a notice for every console.
-- ARGV: file, engine, notice ms, then pairs of event id and the run that was exported. Left alone is what is no dead letter any more,
-- runs anew, or has a seat that is still being worked on. Returns 1 (gone) or 0 (left alone) for each pair, as far as it came.
local function may_go(id, run)
  local h = hmget(id, 'state', 'run', 'tasks')
  if (h[1] ~= 'failed' and h[1] ~= 'shed') or (h[2] or '1') ~= run then return false end
  for n = 1, tonumber(h[3]) or 0 do
    if hget(id .. '.' .. n, 'st') == 'leased' then return false end
  end
  return true
end

local out, gone = {}, 0
for i = 4, #ARGV, 2 do
  if i > 4 and is_long() then break end
  local go = may_go(ARGV[i], ARGV[i + 1])
  if go then
    forget_event(ARGV[i])
    gone = gone + 1
  end
  out[#out + 1] = go and 1 or 0
end
if gone > 0 then
  local notice = T .. ':dx'
  call('HSETNX', notice, 'since', NOW_MS)
  call('HINCRBY', notice, 'count', gone)
  if call('HGET', notice, 'file') ~= ARGV[1] then call('HINCRBY', notice, 'files', 1) end
  call('HSET', notice, 'file', ARGV[1], 'engine', ARGV[2])
  call('PEXPIRE', notice, ARGV[3])
  call('DEL', T .. ':dt')
  log('warning', 'dead_exported', '', gone .. ' dead letters exported to ' .. ARGV[1] .. ' by ' .. ARGV[2] .. ' and removed here')
end
return out
