-- The slots of one attempt are free again. Answers 3 when the slots want rebuilding:
-- then this must be said again after it, because the rebuild may put the attempt back.
-- KEYS: boot, held; ARGV: run id, attempt
local slots = redis.call('HGET', KEYS[2], ARGV[2])
if slots then
  for key in slots:gmatch('[^%s!]+') do redis.call('ZREM', key, ARGV[2]) end
  redis.call('HDEL', KEYS[2], ARGV[2])
end
local boot = redis.call('GET', KEYS[1])
if not boot or boot:match('^(%S+) ') ~= ARGV[1] then return 3 end
return 0
