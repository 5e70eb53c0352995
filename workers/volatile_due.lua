-- Those for later whose time has come go into their streams.
-- KEYS: pairs of later, stream; ARGV: how many of each at most
-- Answers {how many moved, ms until the next one (-1: there is none)}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local moved, wait = 0, -1
for i = 1, #KEYS, 2 do
  local due = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'LIMIT', 0, ARGV[1])
  for _, text in ipairs(due) do
    redis.call('XADD', KEYS[i + 1], '*', 'job', text)
    redis.call('ZREM', KEYS[i], text)
  end
  moved = moved + #due
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  if first[2] then
    local ms = math.max(0, tonumber(first[2]) - now)
    if wait < 0 or ms < wait then wait = ms end
  end
end
return {moved, wait}
