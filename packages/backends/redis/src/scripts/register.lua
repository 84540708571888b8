-- ARGV: channel, client, sequence number, ttl in ms, 'register' or 'update', id, JSON
-- Returns 'ok'; to an update also 'gone' or 'replaced'. Nobody is told when nothing has changed.
local channel, name, sequence, ttl, how, id, json =
  ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]

if torn() then forget() end
local before = redis.call('HGET', instances, id)
local owner = redis.call('HGET', owners, id)
local expiry = tonumber(redis.call('ZSCORE', expiries, id) or 0)
local alive = before and expiry > now
if how == 'update' then
  if not alive or not owner then return 'gone' end
  if client(owner) ~= name then return 'replaced' end
end
if alive and overtaken(owner, name, sequence) then return 'ok' end

local expired = prune()
redis.call('HSET', instances, id, json)
redis.call('HSET', owners, id, name .. ' ' .. whole(sequence))
redis.call('ZADD', expiries, whole(now + ttl), id)
local changed = not alive or before ~= json
local done, problem = pcall(function()
  keep(ttl)
  if changed or #expired > 0 then publish(channel, changed and { id, json } or {}, expired, ttl) end
end)
if done then return 'ok' end

-- Without the right to publish or to expire keys nothing is registered.
if alive then
  redis.call('HSET', instances, id, before)
  redis.call('HSET', owners, id, owner)
else
  remove({ id })
end
return redis.error_reply(type(problem) == 'table' and problem.err or problem)
