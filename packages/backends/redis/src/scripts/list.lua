-- KEYS[1]: see touch.lua. Returns the names of services that may have instances.
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now), '+inf')
