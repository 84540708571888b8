import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { ensemble, type Deployment } from './deployments.ts';
import { zookeeperHarness } from './zookeeper-harness.ts';

describe.skipIf(!requireServer('zookeeper'))('ensemble', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await ensemble();
  }, 90_000);
  afterAll(() => deployment.stop());

  describeBackend('ZooKeeperBackend', () => zookeeperHarness(deployment));
});
