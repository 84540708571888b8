-- ARGV: channel, client, sequence number of what is released, id
local channel, name, sequence, id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local owner = redis.call('HGET', owners, id)
if client(owner) ~= name or overtaken(owner, name, sequence) then return 0 end
local gone = prune()
remove({ id })
gone[#gone + 1] = id
publish(channel, {}, gone)
return 1
