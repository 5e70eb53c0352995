-- A taken job is given back with a new text, at once or for later. What is not taken any
-- more (somebody finished it, Redis was wiped) is left alone. The new place comes first:
-- where Redis refuses it for want of memory the job stays taken.
-- KEYS: stream, later; ARGV: group, entry, text, delay ms
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
local delay = tonumber(ARGV[4])
if delay > 0 then
  local t = redis.call('TIME')
  redis.call('ZADD', KEYS[2], t[1] * 1000 + math.floor(t[2] / 1000) + delay, ARGV[3])
else
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[3])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
