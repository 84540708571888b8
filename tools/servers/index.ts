export { requireServer } from './availability.ts';
export { externalRedisUrl, findRedisServer, redisServers } from './redis-binaries.ts';
export { RedisCluster } from './redis-cluster.ts';
export { RedisSentinel } from './redis-sentinel.ts';
export { RedisServer, type RedisServerOptions } from './redis-server.ts';
export type { TestServer } from './test-server.ts';
