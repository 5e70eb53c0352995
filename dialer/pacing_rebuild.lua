-- The slots anew, from the open attempts; a second after that the first token. An attempt
-- that asks for its token all the same was not sent yet ('!').
-- KEYS: boot, index, held; ARGV: run id, prefix, then attempt and its buckets ("t:1 c:7")
-- for each
local boot = redis.call('GET', KEYS[1])
if boot and boot:match('^(%S+) ') == ARGV[1] then return 0 end
local t = redis.call('TIME')
local real = t[1] * 1000 + t[2] / 1000
for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do redis.call('DEL', key) end
redis.call('DEL', KEYS[2], KEYS[3])
for i = 3, #ARGV, 2 do
  local holds = {}
  for bucket in ARGV[i + 1]:gmatch('%S+') do
    local slots = ARGV[2] .. bucket .. ':slots'
    redis.call('ZADD', slots, real, ARGV[i])
    redis.call('SADD', KEYS[2], slots)
    holds[#holds + 1] = slots
  end
  redis.call('HSET', KEYS[3], ARGV[i], '! ' .. table.concat(holds, ' '))
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%d', math.ceil(real + 1000)))
return 1
