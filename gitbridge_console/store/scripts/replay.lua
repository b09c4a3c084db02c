-- Start events over. ARGV: by, why, then event ids. Returns, as far as it came, the state each was in, "" for unknown
-- ones, "-state" for those left alone.
local out = {}
for id in in_pieces(ARGV, 3) do
  local state = hget(id, 'state')
  if not state or is_task(id) then
    out[#out + 1] = ''
  elseif state == 'failed' or state == 'shed' or state == 'cancelled' or state == 'resolved' then
    rerun(id, ARGV[1], ARGV[2])
    out[#out + 1] = state
  else
    out[#out + 1] = '-' .. state
  end
end
return out
