-- One origination: a token of every bucket's rate (GCRA) and a slot of each, or nothing
-- at all. The first bucket is the trunk; its health (pacing_told.lua) slows or holds it.
-- KEYS: boot, index, held, health, then for each bucket: tat, slots
-- ARGV: run id, attempt, business ms or '', tolerance ms, '' or the turn this attempt was
--       given, which passed before it could be used (it wants another; 'late' if it is not
--       known), then for each bucket: interval ms (0: no rate), slots (0: no limit)
-- Answers {0 go | 1 wait | 2 full | 3 rebuild | 4 held by the breaker,
--          ms to wait (go: us until its turn, which is near), percent of the trunk's rate,
--          the turn (go): for each bucket what its arrival time was and became}
local t = redis.call('TIME')
local real = t[1] * 1000 + t[2] / 1000
local boot = redis.call('GET', KEYS[1])
if not boot then return {3, 0, 100, ''} end
local run, ready = boot:match('^(%S+) (%d+)$')
if run ~= ARGV[1] then return {3, 0, 100, ''} end
if real < tonumber(ready) then return {1, -math.ceil(ready - real), 100, ''} end

local attempt = ARGV[2]
local has = redis.call('HGET', KEYS[3], attempt)
if has and has:sub(1, 1) ~= '!' and ARGV[5] == '' then return {0, 0, 100, ''} end
if has then
  -- Or put there by a rebuild of another dialer, which cannot know that it is not sent
  -- yet: it takes its turn like any other.
  for key in has:gmatch('[^%s!]+') do redis.call('ZREM', key, attempt) end
  redis.call('HDEL', KEYS[3], attempt)
end
local now = ARGV[3] == '' and real or tonumber(ARGV[3])
local buckets = (#KEYS - 4) / 2

-- A slot that nobody gave back within hours belongs to no call any more.
local function forget_old(slots)
  local before = real - 6 * 3600 * 1000
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', slots, '-inf', before)) do
    redis.call('HDEL', KEYS[3], old)
  end
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', before)
end
for b = 1, buckets do
  local slots, max = KEYS[4 + 2 * b], tonumber(ARGV[5 + 2 * b])
  if max > 0 and redis.call('ZCARD', slots) >= max then
    forget_old(slots)
    if redis.call('ZCARD', slots) >= max then return {2, 0, 100, ''} end
  end
end

-- The trunk's health: its factor climbs back by 1 in a minute; while the breaker is open
-- nothing goes, and afterwards one call at a time tries it.
local health = redis.call('HMGET', KEYS[4], 'factor', 'at', 'open', 'probe')
local factor, open = 1, tonumber(health[3] or '0')
if health[1] then
  factor = math.min(1, tonumber(health[1]) + math.max(0, real - tonumber(health[2])) / 60000)
end
local percent = math.floor(factor * 100)
local tries = ARGV[5] ~= '' and health[4] == attempt -- its turn passed: it is still the one
if open > real and not tries then return {4, -math.ceil(open - real), percent, ''} end

-- The theoretical arrival time of the next call; one far ahead is of another rate or of
-- a clock that was set back. A turn that is near is given now, for its time: who came back
-- for it would come late, and others would have come meanwhile.
-- A turn that passed goes back to the bucket, if nobody has had one there since.
local near = 2 * tonumber(ARGV[4])
local passed = {}
for word in ARGV[5]:gmatch('%S+') do passed[#passed + 1] = word end
local arrivals, intervals, wait = {}, {}, 0
for b = 1, buckets do
  local interval = tonumber(ARGV[4 + 2 * b])
  if b == 1 then interval = interval / factor end
  local is = redis.call('GET', KEYS[3 + 2 * b]) or '0'
  local tat = tonumber(is == passed[2 * b] and passed[2 * b - 1] or is)
  if interval == 0 or tat > now + 2 * interval + near then tat = now end
  arrivals[b], intervals[b] = tat, interval
  wait = math.max(wait, tat - now)
end
if wait > near then return {1, math.ceil(wait - near / 2), percent, ''} end
now = now + wait

-- A late caller keeps what it lost, but at most a tenth of an interval, and leaves less
-- than a third after its turn (pacing.c): so the long-run rate holds, and no second has more
-- than rate + 1 calls.
local turn = {}
for b = 1, buckets do
  local was, is = '-', '-'
  if intervals[b] > 0 then
    local kept = math.min(tonumber(ARGV[4]), intervals[b] * 0.1)
    local arrival = math.max(arrivals[b], now - kept)
    was, is = string.format('%.3f', arrival), string.format('%.3f', arrival + intervals[b])
    redis.call('SET', KEYS[3 + 2 * b], is, 'PX', 86400000)
  end
  turn[2 * b - 1], turn[2 * b] = was, is
end
local holds = {}
for b = 1, buckets do
  local slots = KEYS[4 + 2 * b]
  redis.call('ZADD', slots, real, attempt)
  redis.call('SADD', KEYS[2], slots)
  holds[b] = slots
end
redis.call('HSET', KEYS[3], attempt, table.concat(holds, ' '))
if open > 0 then
  -- This one tries; should nothing be heard of it, the next does in half a minute.
  redis.call('HSET', KEYS[4], 'open', string.format('%.0f', real + 30000), 'probe', attempt)
end
return {0, math.floor(wait * 1000), percent, table.concat(turn, ' ')}
