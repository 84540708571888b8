import { KubernetesServer } from '../servers/index.ts';
import type { ChaosStore, PublishedEntry, StoreTraits } from './chaos-store.ts';
import { service } from './pace.ts';
import { kubernetesNamespace } from './places.ts';

/** EndpointSlices of an API server, written as its controllers would. */
export const kubernetesStore: StoreTraits = {
  faults: { kill: true, wipe: true, freeze: true, links: true },
  saysStale: true,
  start: async () => inServer(await KubernetesServer.start({ bookmarkMs: 500 })),
};

function inServer(server: KubernetesServer): ChaosStore {
  return {
    addresses: [{ host: server.host, port: server.port }],
    placeAt: (addresses) => ({ store: 'kubernetes', addresses }),
    kill: () => server.kill(),
    start: (options) => server.start(options),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    publish: (entries) => publish(server, entries),
    badEntries: {
      async write(key) {
        // For all ports there are: nobody could call it. API servers let no worse through.
        const slice = sliceOf({ name: key, port: 0, isLeaving: false }, 'somebody-else');
        await server.command('POST', path, { ...slice, ports: [{}] });
      },
      async remove(key) {
        const slices = await slicesOf(server, 'somebody-else');
        if (slices.has(key)) await server.command('DELETE', `${path}/${key}`);
      },
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

const path = `/apis/discovery.k8s.io/v1/namespaces/${kubernetesNamespace}/endpointslices`;

/** A slice for each instance, as only a slice has a port. */
async function publish(server: KubernetesServer, entries: readonly PublishedEntry[]): Promise<void> {
  const there = await slicesOf(server, 'chaos');
  const wanted = new Set(entries.map(({ name }) => name));
  for (const name of there) if (!wanted.has(name)) await server.command('DELETE', `${path}/${name}`);
  for (const entry of entries) {
    if (there.has(entry.name)) {
      await server.command('PATCH', `${path}/${entry.name}`, { endpoints: [endpointOf(entry)] });
    } else {
      await server.command('POST', path, sliceOf(entry, 'chaos'));
    }
  }
}

/** Names of those that somebody has made. */
async function slicesOf(server: KubernetesServer, maker: Maker): Promise<ReadonlySet<string>> {
  const selector = encodeURIComponent(`${makerLabel}=${maker}`);
  const { items } = (await server.command('GET', `${path}?labelSelector=${selector}`)) as SliceList;
  return new Set(items.map(({ metadata }) => metadata.name));
}

interface SliceList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

type Maker = 'chaos' | 'somebody-else';
const makerLabel = 'endpointslice.kubernetes.io/managed-by';

const sliceOf = (entry: PublishedEntry, maker: Maker) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: entry.name, labels: { 'kubernetes.io/service-name': service, [makerLabel]: maker } },
  addressType: 'IPv4',
  endpoints: [endpointOf(entry)],
  ports: [{ name: 'http', port: entry.port }],
});

const endpointOf = ({ name, isLeaving }: PublishedEntry) => ({
  addresses: ['127.0.0.1'],
  conditions: { ready: !isLeaving, serving: true, terminating: isLeaving },
  targetRef: { kind: 'Pod', name },
});
