-- KEYS[1] zset: name of a service -> until when it may have instances, in milliseconds of the server's own clock
-- ARGV: ttl in ms, names …
local index, ttl = KEYS[1], tonumber(ARGV[1])
local function keepIndex()
  redis.call('PEXPIRE', index, whole(math.max(ttl + 60000, redis.call('PTTL', index))))
end

keepIndex() -- first, as in renew.lua
redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
local entries = {}
for place = 2, #ARGV do
  entries[#entries + 1] = whole(now + ttl)
  entries[#entries + 1] = ARGV[place]
end
redis.call('ZADD', index, 'GT', unpack(entries))
keepIndex()
return 'ok'
