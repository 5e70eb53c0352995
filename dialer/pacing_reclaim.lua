-- Slots whose attempt is over in the ledger are freed: their give was lost with a process.
-- KEYS: boot, index, held; ARGV: run id, least age in ms, then the open attempts.
-- Answers how many.
local boot = redis.call('GET', KEYS[1])
if not boot or boot:match('^(%S+) ') ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
local before = t[1] * 1000 + t[2] / 1000 - ARGV[2]
local open = {}
for i = 3, #ARGV do open[ARGV[i]] = true end
local freed = 0
for _, slots in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  for _, attempt in ipairs(redis.call('ZRANGEBYSCORE', slots, '-inf', before)) do
    if not open[attempt] then
      freed = freed + redis.call('ZREM', slots, attempt)
      redis.call('HDEL', KEYS[3], attempt)
    end
  end
end
return freed
