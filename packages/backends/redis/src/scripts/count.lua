-- Returns how many leases of a service are alive.
return redis.call('ZCOUNT', expiries, '(' .. whole(now), '+inf')
