import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { standalone, type Deployment } from './deployments.ts';
import { zookeeperHarness } from './zookeeper-harness.ts';

describe.skipIf(!requireServer('zookeeper'))('standalone', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await standalone();
  }, 60_000);
  afterAll(() => deployment.stop());

  describeBackend('ZooKeeperBackend', () => zookeeperHarness(deployment));
});
