-- One origination: a token of the trunk's and of the campaign's rate (GCRA) and a slot
-- of each, or nothing at all.
-- KEYS: boot, index, trunk tat, trunk slots, campaign tat, campaign slots
-- ARGV: run id, attempt, business ms or '', tolerance ms,
--       trunk interval ms, trunk slots, campaign interval ms, campaign slots (0: no limit)
-- Answers {0 go | 1 wait | 2 full | 3 rebuild, ms to wait}
local t = redis.call('TIME')
local real = t[1] * 1000 + t[2] / 1000
local boot = redis.call('GET', KEYS[1])
if not boot then return {3, 0} end
local run, ready = boot:match('^(%S+) (%d+)$')
if run ~= ARGV[1] then return {3, 0} end
if real < tonumber(ready) then return {1, -math.ceil(ready - real)} end

local attempt = ARGV[2]
if redis.call('ZSCORE', KEYS[4], attempt) then return {0, 0} end
local now = ARGV[3] == '' and real or tonumber(ARGV[3])
local tolerance = tonumber(ARGV[4])

local function full(slots, max)
  if max == 0 or redis.call('ZCARD', slots) < max then return false end
  -- A slot that nobody gave back within hours belongs to no call any more.
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', real - 6 * 3600 * 1000)
  return redis.call('ZCARD', slots) >= max
end
if full(KEYS[4], tonumber(ARGV[6])) or full(KEYS[6], tonumber(ARGV[8])) then
  return {2, 0}
end

-- The theoretical arrival time of the next call; one far ahead is of another rate or of
-- a clock that was set back.
local function arrival(key, interval)
  local tat = tonumber(redis.call('GET', key) or '0')
  if interval == 0 or tat > now + 2 * interval + tolerance then return now end
  return tat
end
local ti, ci = tonumber(ARGV[5]), tonumber(ARGV[7])
local trunk, campaign = arrival(KEYS[3], ti), arrival(KEYS[5], ci)
local wait = math.max(trunk, campaign) - now
if wait > 0 then return {1, math.ceil(wait)} end

-- A late caller keeps a small part of the time it lost, so that the long-run rate holds.
local function spend(key, tat, interval)
  if interval > 0 then
    redis.call('SET', key, string.format('%.3f', math.max(tat, now - math.min(tolerance, interval * 64)) + interval),
               'PX', 86400000)
  end
end
spend(KEYS[3], trunk, ti)
spend(KEYS[5], campaign, ci)
redis.call('ZADD', KEYS[4], real, attempt)
redis.call('ZADD', KEYS[6], real, attempt)
redis.call('SADD', KEYS[2], KEYS[4], KEYS[6])
return {0, 0}
