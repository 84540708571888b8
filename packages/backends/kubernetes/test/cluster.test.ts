import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { hasRealCluster, realCluster } from './clusters.ts';
import { kubernetesHarness, type Cluster } from './kubernetes-harness.ts';

// With SD_TEST_KUBECONFIG, KUBECONFIG or KUBEBUILDER_ASSETS.
describe.skipIf(!hasRealCluster())('cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await realCluster();
  }, 60_000);
  afterAll(() => cluster.stop());

  describeBackend('KubernetesBackend', () => kubernetesHarness(cluster));
});
