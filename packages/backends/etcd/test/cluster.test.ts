import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { cluster, type Deployment } from './deployments.ts';
import { etcdHarness } from './etcd-harness.ts';

describe.skipIf(!requireServer('etcd'))('cluster', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await cluster();
  });
  afterAll(() => deployment.stop());

  describeBackend('EtcdBackend', () => etcdHarness(deployment), { timeoutMs: 60_000 });
});
