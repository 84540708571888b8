import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { testServer } from './clusters.ts';
import { kubernetesHarness, type Cluster } from './kubernetes-harness.ts';

describe('standalone', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await testServer();
  });
  afterAll(() => cluster.stop());

  describeBackend('KubernetesBackend', () => kubernetesHarness(cluster));
});
