-- What all scripts begin with. The keys of a service lie in one slot (two scripts work on another key, alone):
--   KEYS[1] hash   id -> JSON of the instance
--   KEYS[2] zset   id -> when it expires, in milliseconds of the server's own clock
--   KEYS[3] hash   id -> who holds it: "<client> <sequence number>"; #epoch and #version of the service
local instances, expiries, owners = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- The version is "<epoch>:<number>". The epoch is of the data: it is another one after they were lost. The number
-- grows by the clock, so that it also does so after a fail-over to a copy from the past.
local known
local function version()
  if not known then
    local epoch, number = unpack(redis.call('HMGET', owners, '#epoch', '#version'))
    known = epoch and number and { epoch .. ':' .. number, epoch, tonumber(number) } or { '0:0', nil, 0 }
  end
  return unpack(known, 1, 3)
end

-- Tells watchers what is set ([id, JSON, …], each alive for `ttl` ms) and removed ([id, …]).
local function publish(channel, set, del, ttl)
  local before, epoch, number = version()
  local micros = time[1] * 1000000 + time[2]
  epoch = epoch or whole(micros)
  number = whole(math.max(number + 1, micros))
  redis.call('HSET', owners, '#epoch', epoch, '#version', number)
  redis.call('PUBLISH', channel, cjson.encode({ before, epoch .. ':' .. number, set, del, ttl }))
end

local function remove(ids)
  redis.call('ZREM', expiries, unpack(ids))
  redis.call('HDEL', instances, unpack(ids))
  redis.call('HDEL', owners, unpack(ids))
end

-- Takes out what has expired; a hundred at most, so that no call takes long.
local function prune()
  local expired = redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 100)
  if #expired > 0 then remove(expired) end
  return expired
end

-- Keys are evicted one by one, and without the others each is meaningless. Records that nobody holds do not count.
local function torn()
  local _, epoch = version()
  local leases = redis.call('ZCARD', expiries)
  if leases == 0 then return redis.call('HLEN', owners) > 2 end
  return not epoch or redis.call('HLEN', instances) == 0
end

local function forget()
  redis.call('DEL', instances, expiries, owners)
  known = nil
end

-- Abandoned services clean themselves up, a minute after the last lease could have ended. All three keys are kept alike.
local function keep(ttl)
  if redis.call('PTTL', expiries) >= ttl + 30000 then return end
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, whole(ttl + 60000)) end
end

-- An owner without its sequence number.
local function client(owner)
  return owner and string.match(owner, '^%S+')
end

-- Whether the record was written by a request of the same client that was made after this one. A request that was
-- given up may still arrive, on a connection of the past, after its successor.
local function overtaken(owner, name, sequence)
  return client(owner) == name and tonumber(string.match(owner, '%d+$')) > sequence
end
