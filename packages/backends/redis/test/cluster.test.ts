import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { cluster, type Deployment } from './deployments.ts';
import { redisHarness } from './redis-harness.ts';

describe.skipIf(!requireServer('redis'))('cluster', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await cluster();
  });
  afterAll(() => deployment.stop());

  describeBackend('RedisBackend', () => redisHarness(deployment));
});
