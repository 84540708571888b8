import { describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { externalRedisUrl } from '../../../../tools/servers/index.ts';
import { external } from './deployments.ts';
import { redisHarness } from './redis-harness.ts';

const url = externalRedisUrl();

describe.skipIf(url === undefined)('external', () => {
  describeBackend('RedisBackend', async () => redisHarness(await external(url ?? '')));
});
