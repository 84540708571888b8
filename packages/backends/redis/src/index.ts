export { RedisBackend } from './redis-backend.ts';
export type { RedisBackendOptions, RedisConnectionOptions } from './redis-options.ts';
