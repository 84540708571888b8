-- ARGV: channel, client, ttl in ms, ids …
-- Renews all that this client still holds; returns [id, reason, id, reason, …] of the others, where the reason is
-- 'gone', 'replaced' or 'store-lost'. One rule for data that were lost, failed over, evicted, expired or deleted.
local channel, name, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- First of all, because a script may write without regard to `maxmemory` once it has written something that needs no
-- memory: a full Redis must not let living instances expire.
redis.call('ZREM', expiries, '#nobody')

if torn() then forget() end
local _, epoch = version()
local ids = {}
for index = 4, #ARGV do ids[#ids + 1] = ARGV[index] end
local scores = redis.call('ZMSCORE', expiries, unpack(ids))
local holders = redis.call('HMGET', owners, unpack(ids))
local expiry = whole(now + ttl)
-- A stranger may have deleted a record and left its lease.
local complete = redis.call('HLEN', instances) == redis.call('ZCARD', expiries)
local renewed, lost = {}, {}
for index, id in ipairs(ids) do
  local score = scores[index]
  local alive = score and tonumber(score) > now
  if alive and not complete and redis.call('HEXISTS', instances, id) == 0 then
    remove({ id })
    alive = false
  end
  if alive and client(holders[index]) == name then
    renewed[#renewed + 1] = expiry
    renewed[#renewed + 1] = id
  else
    lost[#lost + 1] = id
    lost[#lost + 1] = alive and holders[index] and 'replaced' or epoch and 'gone' or 'store-lost'
  end
end
if #renewed > 0 then
  redis.call('ZADD', expiries, 'XX', unpack(renewed))
  keep(ttl)
end
local expired = prune()
if #expired > 0 then publish(channel, {}, expired) end
return lost
