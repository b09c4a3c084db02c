-- Claim up to N jobs of a lane under a lease. ARGV: lane, n, lease ms, bytes of payloads to send along (-1: none), most jobs of one
-- repository at once (0: any), highest score to claim or "".
-- Returns {paused, ms until the next waiting job is due or -1, now, job...}; a job is {id, fence, header, payload, diff, event header};
-- a payload over the budget is sent as "" and fetched by itself.
local lane, n, lease, room, cap, bound = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local ready, waiting = T .. ':r:' .. lane, T .. ':w:' .. lane
local due = call('ZRANGEBYSCORE', waiting, '-inf', NOW_MS, 'LIMIT', 0, 100)
for _, id in ipairs(due) do
  call('ZREM', waiting, id)
  push(id, lane)
end
local first = call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
local out = {0, first[2] and math.max(0, tonumber(first[2]) - NOW) or -1, int(NOW)}

local until_ms = call('HGET', M, 'until:' .. lane)
if until_ms then
  if until_ms == '0' or tonumber(until_ms) > NOW then
    out[1] = 1
    return out
  end
  call('HDEL', M, 'until:' .. lane, 'pause:' .. lane)
  log('info', 'resumed', lane, 'its pause ended')
end

local function field(flat, name)
  for i = 1, #flat, 2 do
    if flat[i] == name then return flat[i + 1] end
  end
end

local function pop(count)
  if bound == '' then return call('ZPOPMIN', ready, count) end
  local found = call('ZRANGEBYSCORE', ready, '-inf', bound, 'WITHSCORES', 'LIMIT', 0, count)
  for i = 1, #found, 2 do call('ZREM', ready, found[i]) end
  return found
end

local leased, until_when, looked = of(leases, lane), int(NOW + lease), 0
while n > 0 and looked < 200 do
  local popped = pop(n)
  if #popped == 0 then break end
  looked = looked + #popped / 2
  for i = 1, #popped, 2 do
    local id = popped[i]
    local header = call('HGETALL', J .. id)
    local repository = cap > 0 and field(header, 'rp')
    if repository == '' then repository = nil end
    if repository and call('SCARD', T .. ':k:' .. lane .. ':' .. repository) >= cap then
      hold(id, lane, repository, popped[i + 1])
    else
      local its_fence, event, event_header = next_fence(), id, {}
      local changed = {'st', 'leased', 'f', its_fence, 'dv', int((field(header, 'dv') or 0) + 1)}
      if repository then
        call('SADD', T .. ':k:' .. lane .. ':' .. repository, id)
        changed[7], changed[8] = 'k', '1'
      end
      local about = header
      if is_task(id) then
        event = event_of(id)
        changed[#changed + 1], changed[#changed + 2] = 'state', 'in_progress'
        event_header = call('HGETALL', J .. event)
        about = event_header
      end
      call('HSET', J .. id, unpack(changed))
      leased[id] = until_when
      for c = 1, #changed do header[#header + 1] = changed[c] end
      local payload, diff = '', ''
      if room >= 0 then
        room = room - (tonumber(field(about, 'sz')) or 0)
        if room >= 0 or #out == 3 then
          payload = call('GET', T .. ':p:' .. event) or ''
          if field(about, 'df') then diff = call('GET', T .. ':f:' .. event) or '' end
        end
      end
      out[#out + 1] = {id, its_fence, header, payload, diff, event_header}
      n = n - 1
    end
  end
end
return out
