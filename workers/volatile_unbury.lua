-- Buried jobs, the oldest first, start over with all their tries, or go.
-- KEYS: buried, stream; ARGV: how many at most, forget (0 | 1)
-- Answers how many
local found = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
for _, e in ipairs(found) do
  if ARGV[2] == '0' then
    local text = string.gsub(e[2][2], '"tries":%d+', '"tries":0', 1)
    redis.call('XADD', KEYS[2], '*', 'job', text)
  end
  redis.call('XDEL', KEYS[1], e[1])
end
return #found
