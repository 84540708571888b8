-- Returns how many leases of a service are alive; -1 if there is something else in their place, which is the trouble of
-- that service alone.
local count = redis.pcall('ZCOUNT', expiries, '(' .. whole(now), '+inf')
return type(count) == 'number' and count or -1
