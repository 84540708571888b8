import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { sentinel, type Deployment } from './deployments.ts';
import { redisHarness } from './redis-harness.ts';

describe.skipIf(!requireServer('redis'))('sentinel', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await sentinel();
  });
  afterAll(() => deployment.stop());

  describeBackend('RedisBackend', () => redisHarness(deployment));
});
