-- A losable job: into its stream, or among those for later. With a key it is sent only
-- when no other job of that key waits or runs.
-- KEYS: stream, later, key
-- ARGV: text, id, delay ms, how long the key holds at most in ms (0: no key)
-- Answers 1 sent | 0 there is one already
local hold = tonumber(ARGV[4])
if hold > 0 and not redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', hold) then return 0 end
local delay = tonumber(ARGV[3])
if delay > 0 then
  local t = redis.call('TIME')
  redis.call('ZADD', KEYS[2], t[1] * 1000 + math.floor(t[2] / 1000) + delay, ARGV[1])
else
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[1])
end
return 1
