import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createInstance, systemClock, type ServiceInstance } from '@sd/core';
import { haltableClock, realTime, silentLogger, type ReadOnlyHarness, type StoreServer } from '@sd/testkit';
import { KubernetesBackend, type KubernetesAccessOptions } from '../src/index.ts';

/** An API server, however it is run. */
export interface Cluster {
  /** For clients, who may only list and watch where the cluster can tell them apart. */
  readonly access: KubernetesAccessOptions;
  /** As an administrator. @throws when the answer is not 2xx */
  command(method: string, path: string, body?: unknown): Promise<unknown>;
  readonly server?: StoreServer | undefined;
  stop(): Promise<void>;
}

let harnesses = 0;

/** A namespace of its own, where slices change as their controller would have it. */
export async function kubernetesHarness(cluster: Cluster): Promise<ReadOnlyHarness> {
  harnesses += 1;
  const namespace = `sd-${process.pid}-${harnesses}`;
  const options = { ...cluster.access, namespace, idleMs: 2_000, timeoutMs: 1_000 };
  const slices = new SliceWriter(cluster, namespace);
  const backends: KubernetesBackend[] = [];
  await cluster.command('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  return {
    time: realTime(),
    push: true,
    pollBoundMs: 0,
    silenceMs: 3_000,
    server: cluster.server,
    async createClient({ clockOffsetMs = 0 } = {}) {
      const clock = haltableClock({ ...systemClock, now: () => systemClock.now() + clockOffsetMs });
      const backend = new KubernetesBackend({ ...options, clock, logger: silentLogger });
      backends.push(backend);
      return {
        backend,
        clock,
        crash: () => backend.close(),
        get pendingTimers() {
          return clock.pendingTimers;
        },
      };
    },
    publish: (instance) => slices.publish(instance),
    withdraw: (service, id) => slices.withdraw(service, id),
    // API servers let nothing through that is no address; a slice that is for all ports says nothing to us.
    writeMalformed: (service, key) =>
      slices.write({
        name: sliceName(service, key),
        service,
        endpoints: [endpoint(service, 99)],
        ports: [{}],
      }),
    instance: (service, n) =>
      createInstance(
        {
          service,
          id: `${podName(service, n)}-8080`,
          host: `10.${Math.trunc(n / 250)}.0.${(n % 250) + 1}`,
          port: 8080,
          protocol: 'https',
          version: '1.2.3-rc.1',
          zone: 'eu-1',
          metadata: { pod: podName(service, n), node: 'node-1', namespace },
        },
        0,
      ),
    changed: (instance) => ({ ...instance, zone: 'eu-2' }),
    program: [
      ...['--conditions=@sd/source', '--import=tsx'],
      fileURLToPath(new URL('closing.program.ts', import.meta.url)),
      JSON.stringify({ ...cluster.access, namespace }),
    ],
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await cluster.command('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    },
  };
}

interface WrittenSlice {
  readonly name: string;
  readonly service: string;
  readonly endpoints: readonly unknown[];
  readonly ports?: readonly unknown[];
}

/** So few that most services have several slices. */
const mostEndpoints = 3;

/** Puts each instance into the first slice that has room, and changes that alone. */
class SliceWriter {
  readonly #cluster: Cluster;
  readonly #path: string;
  /** What is in the slices, by their name, and there by id. */
  readonly #slices = new Map<string, Map<string, unknown>>();

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  }

  async publish({ service, id, host, zone, metadata }: ServiceInstance): Promise<void> {
    for (let number = 1; ; number += 1) {
      const name = sliceName(service, String(number));
      const endpoints = this.#slices.get(name) ?? new Map<string, unknown>();
      if (!endpoints.has(id) && endpoints.size >= mostEndpoints) continue;
      const isNew = !this.#slices.has(name);
      this.#slices.set(name, endpoints);
      const conditions = { ready: true, serving: true, terminating: false };
      const targetRef = { kind: 'Pod', name: metadata.pod };
      endpoints.set(id, { addresses: [host], conditions, targetRef, nodeName: metadata.node, zone });
      const all = [...endpoints.values()];
      if (isNew) await this.write({ name, service, endpoints: all });
      else await this.#cluster.command('PATCH', `${this.#path}/${name}`, { endpoints: all });
      return;
    }
  }

  async withdraw(service: string, id: string): Promise<void> {
    for (let number = 1; ; number += 1) {
      const name = sliceName(service, String(number));
      const endpoints = this.#slices.get(name);
      if (endpoints === undefined) return;
      if (!endpoints.delete(id)) continue;
      await this.#cluster.command('PATCH', `${this.#path}/${name}`, { endpoints: [...endpoints.values()] });
      return;
    }
  }

  async write({ name, service, endpoints, ports }: WrittenSlice): Promise<void> {
    await this.#cluster.command('POST', this.#path, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name,
        labels: { 'kubernetes.io/service-name': service, 'app.kubernetes.io/version': '1.2.3-rc.1' },
      },
      addressType: 'IPv4',
      endpoints,
      ports: ports ?? [{ name: 'https', port: 8080 }],
    });
  }
}

const endpoint = (service: string, n: number) => ({
  addresses: [`10.9.9.${n}`],
  targetRef: { kind: 'Pod', name: podName(service, n) },
});

const podName = (service: string, n: number): string => `${service.toLowerCase()}-${n}`;

/** Services of the suite have names that no Service could have; a slice needs one that it can. */
function sliceName(service: string, part: string): string {
  const hash = createHash('sha256').update(service).digest('hex').slice(0, 8);
  return `${service.toLowerCase().replace(/[^a-z0-9]/g, '-')}-${hash}-${part}`;
}
