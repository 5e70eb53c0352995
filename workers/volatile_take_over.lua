-- Jobs that no worker spoke for during the lease are taken over. Who let one lapse and
-- has not spoken since is silent, and dead when that lasts for two leases more; who spoke
-- again was late. Jobs that two went silent with are suspects: taken one at a time. With
-- a third silent one a job rests until it is certain, and is buried when three are dead.
-- What the asking worker itself let lapse (it stalled, and did not begin them) comes back
-- to it later than to others, and is no death.
-- KEYS: stream, buried
-- ARGV: group, consumer, lease ms, at most, suspects at most (0 | 1), most buried
-- Answers {entries, suspects left, buried}
local me, lease, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local may, left, buried, entries, seen = tonumber(ARGV[5]), 0, 0, {}, {}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local signs = redis.call('HGETALL', KEYS[1] .. ':signs')
for i = 1, #signs, 2 do
  seen[signs[i]] = tonumber(signs[i + 1])
  if seen[signs[i]] < now - 20 * lease then
    redis.call('HDEL', KEYS[1] .. ':signs', signs[i])
  end
end

-- How many are silent since they let it lapse, and how many of them dead.
local function gone(key, who)
  local at = tonumber(redis.call('HGET', key, who))
  if not at or (seen[who] or 0) >= at then
    redis.call('HSET', key, who, now)
    redis.call('PEXPIRE', key, math.max(20 * lease, 3600000))
  end
  local silent, dead, all = 0, 0, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    at = tonumber(all[i + 1])
    if (seen[all[i]] or 0) < at then
      silent = silent + 1
      if now - at >= 2 * lease then dead = dead + 1 end
    end
  end
  return silent, dead
end

-- Some more than wanted: those that rest must not stand before the others.
for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', lease, '-', '+', most + 100)) do
  local id, who = p[1], p[2]
  if #entries >= most then break end
  if who == me then
    if p[3] > 2 * lease then
      local e = redis.call('XCLAIM', KEYS[1], ARGV[1], me, lease, id, 'RETRYCOUNT', p[4])[1]
      if e then entries[#entries + 1] = {e[1], e[2], 1} end
    end
  else
    local key = KEYS[1] .. ':lapsed:' .. id
    local silent, dead = gone(key, who)
    if dead >= 3 then
      local e = redis.call('XRANGE', KEYS[1], id, id)[1]
      if e then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'job', e[2][2], 'why',
                   'its worker died at it, three times')
      end
      redis.call('XACK', KEYS[1], ARGV[1], id)
      redis.call('XDEL', KEYS[1], id)
      redis.call('DEL', key)
      buried = buried + 1
    elseif silent == 2 and may == 0 then
      left = left + 1
    elseif silent <= 2 then
      if silent == 2 then may = may - 1 end
      local e = redis.call('XCLAIM', KEYS[1], ARGV[1], me, lease, id)[1]
      if e then entries[#entries + 1] = {e[1], e[2], silent} end
    end
  end
end
-- Consumers of workers that are long gone and hold nothing.
for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if c[2] ~= me and c[4] == 0 and c[6] > 20 * lease then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], c[2])
  end
end
return {entries, left, buried}
