-- The slots of one attempt are free again. Answers 3 when the slots want rebuilding:
-- then this must be said again after it, because the rebuild may put the attempt back.
-- KEYS: boot, trunk slots, campaign slots; ARGV: run id, attempt
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
local boot = redis.call('GET', KEYS[1])
if not boot or boot:match('^(%S+) ') ~= ARGV[1] then return 3 end
return 0
