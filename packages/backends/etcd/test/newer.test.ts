import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { etcdServers, requireServer } from '../../../../tools/servers/index.ts';
import { standalone, type Deployment } from './deployments.ts';
import { etcdHarness } from './etcd-harness.ts';

const newer = etcdServers().find(({ name }) => name === '3.5');

describe.skipIf(!requireServer('etcd') || newer === undefined)('3.5', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await standalone(newer?.binary);
  });
  afterAll(() => deployment.stop());

  describeBackend('EtcdBackend', () => etcdHarness(deployment), { timeoutMs: 60_000 });
});
