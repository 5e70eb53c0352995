-- The slots anew, from the open attempts; a second after that the first token.
-- KEYS: boot, index; ARGV: run id, prefix, then trunk id, campaign id, attempt for each
local boot = redis.call('GET', KEYS[1])
if boot and boot:match('^(%S+) ') == ARGV[1] then return 0 end
local t = redis.call('TIME')
local real = t[1] * 1000 + t[2] / 1000
for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do redis.call('DEL', key) end
redis.call('DEL', KEYS[2])
for i = 3, #ARGV, 3 do
  local trunk, campaign = ARGV[2] .. 't:' .. ARGV[i] .. ':slots', ARGV[2] .. 'c:' .. ARGV[i + 1] .. ':slots'
  redis.call('ZADD', trunk, real, ARGV[i + 2])
  redis.call('ZADD', campaign, real, ARGV[i + 2])
  redis.call('SADD', KEYS[2], trunk, campaign)
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%d', math.ceil(real + 1000)))
return 1
