-- How a trunk answered. Congestion halves its factor, at most once in two seconds: one
-- burst of refusals is of one rate. Ten refusals without a call between them open the
-- breaker for 30 s, then twice as long each time, ten minutes at most; a call closes it.
-- KEYS: health; ARGV: ok | congested | failed
-- Answers {percent of the rate, ms until the breaker lets one try, refusals in a row}
local t = redis.call('TIME')
local real = t[1] * 1000 + t[2] / 1000
local h = redis.call('HMGET', KEYS[1], 'factor', 'at', 'open', 'fails', 'halved', 'opened', 'probe')
local factor = 1
if h[1] then
  factor = math.min(1, tonumber(h[1]) + math.max(0, real - tonumber(h[2])) / 60000)
end
local open, fails = tonumber(h[3] or '0'), tonumber(h[4] or '0')
local halved, opened = tonumber(h[5] or '0'), tonumber(h[6] or '0')

if ARGV[1] == 'ok' then
  open, fails, opened = 0, 0, 0
else
  fails = fails + 1
  if ARGV[1] == 'congested' and real - halved >= 2000 then
    factor, halved = math.max(0.02, factor / 2), real
  end
  -- Those of before the breaker opened are not counted again; the call that tries is.
  if fails >= 10 and (open <= real or (h[7] and h[7] ~= '0')) then
    opened = math.min(600000, opened == 0 and 30000 or opened * 2)
    open, fails = real + opened, 9
  end
end
if factor == 1 and open == 0 and fails == 0 then
  redis.call('DEL', KEYS[1])
  return {100, 0, 0}
end
redis.call('HSET', KEYS[1], 'factor', string.format('%.4f', factor), 'at', string.format('%.0f', real),
           'open', string.format('%.0f', open), 'fails', fails,
           'halved', string.format('%.0f', halved), 'opened', opened, 'probe', 0)
redis.call('PEXPIRE', KEYS[1], 3600000)
return {math.floor(factor * 100), math.max(0, math.ceil(open - real)), fails}
