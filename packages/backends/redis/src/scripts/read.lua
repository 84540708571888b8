-- ARGV: the version that is known, or an empty string
-- Returns [version, ms until the next expiry or -1], and unless that version is current and nothing has expired also
-- [id, JSON, …] of what is alive, [id, …] of what nobody holds, and how many have expired and are still there. It
-- changes nothing: consumers need no commands that write.
local current = version()
local next = redis.call('ZRANGEBYSCORE', expiries, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local left = next[2] and whole(tonumber(next[2]) - now) or '-1'
local expired = redis.call('ZCOUNT', expiries, '-inf', now)
if current == ARGV[1] and expired == 0 then return { current, left } end

if torn() then return redis.error_reply('SDLOST a part of the keys is gone') end
-- What could not be renewed has not died: Redis may refuse to write, for a full disk or too few replicas. It says so to
-- those who have the right to try.
if expired > 0 then
  local tried = redis.pcall('ZREM', expiries, '#nobody')
  local refusal = type(tried) == 'table' and tried.err or ''
  if string.find(refusal, 'MISCONF') or string.find(refusal, 'NOREPLICAS') then return redis.error_reply(refusal) end
end
local leases = redis.call('ZCARD', expiries)
local entries = redis.call('HGETALL', instances)
if expired == 0 and leases * 2 == #entries then return { current, left, entries, {}, 0 } end

local expiresAt = {}
local scores = redis.call('ZRANGE', expiries, 0, -1, 'WITHSCORES')
for index = 1, #scores, 2 do expiresAt[scores[index]] = tonumber(scores[index + 1]) end
local alive, strays = {}, {}
for index = 1, #entries, 2 do
  local id = entries[index]
  if not expiresAt[id] then
    strays[#strays + 1] = id
  elseif expiresAt[id] > now then
    alive[#alive + 1] = id
    alive[#alive + 1] = entries[index + 1]
  end
end
return { current, left, alive, strays, expired }
