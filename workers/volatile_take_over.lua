-- Jobs that no worker spoke for during the lease are taken over. Those that two workers
-- died with are suspects: taken one at a time, and buried when a third one died. What the
-- asking worker itself let lapse (it stalled, and did not begin them) comes back to it
-- later than to others, and is no death.
-- KEYS: stream, buried
-- ARGV: group, consumer, lease ms, at most, suspects at most (0 | 1), most buried
-- Answers {entries, suspects left, buried}
local found = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4])
local may, left, buried, entries = tonumber(ARGV[5]), 0, 0, {}
for _, p in ipairs(found) do
  local id, taken = p[1], tonumber(p[4])
  if p[2] == ARGV[2] then
    if p[3] > 2 * tonumber(ARGV[3]) then
      local e = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id, 'RETRYCOUNT', taken)[1]
      if e then entries[#entries + 1] = {e[1], e[2], 1} end
    end
  elseif taken >= 3 then
    local e = redis.call('XRANGE', KEYS[1], id, id)[1]
    if e then
      redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'job', e[2][2], 'why',
                 'its worker died at it, three times')
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
    buried = buried + 1
  elseif taken == 2 and may == 0 then
    left = left + 1
  else
    if taken == 2 then may = may - 1 end
    local e = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id)[1]
    if e then entries[#entries + 1] = {e[1], e[2], taken} end
  end
end
-- Consumers of workers that are long gone and hold nothing.
for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if c[2] ~= ARGV[2] and c[4] == 0 and c[6] > 20 * tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], c[2])
  end
end
return {entries, left, buried}
