import { DnsServer } from '../servers/index.ts';
import type { ChaosStore, StoreTraits } from './chaos-store.ts';
import { dnsName } from './places.ts';

/** A zone of an authoritative server. To kill it is to let it answer that it fails, to freeze it is silence. */
export const dnsStore: StoreTraits = {
  faults: { kill: true, wipe: false, freeze: true, links: true },
  saysStale: true,
  start: async () => {
    const server = await DnsServer.start();
    return inServer(server);
  },
};

function inServer(server: DnsServer): ChaosStore {
  let instances: readonly RecordData[] = [];
  const bad = new Map<string, RecordData>();
  const write = (): void =>
    server.set(dnsName, 'SRV', ...[...bad.values(), ...instances].map((data) => ({ data })));
  return {
    addresses: [{ host: server.host, port: server.port }],
    placeAt: (addresses) => ({ store: 'dns', addresses }),
    kill: async () => void (server.fault = () => ({ rcode: serverFailure })),
    start: async () => void (server.fault = undefined),
    freeze: () => void (server.fault = () => ({ silent: true })),
    thaw: () => void (server.fault = undefined),
    async publish(entries) {
      const present = entries.filter(({ isLeaving }) => !isLeaving);
      for (const { name } of present) server.set(targetOf(name), 'A', { data: '127.0.0.1' });
      instances = present.map(({ name, port }) => recordOf(targetOf(name), port));
      write();
    },
    badEntries: {
      async write(key) {
        server.set(targetOf(key), 'A', { data: '127.0.0.1' });
        bad.set(key, recordOf(targetOf(key), 0));
        write();
      },
      async remove(key) {
        bad.delete(key);
        write();
      },
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

type RecordData = ReturnType<typeof recordOf>;

const recordOf = (target: string, port: number) => ({ target, port, priority: 0, weight: 1 });

const serverFailure = 2;

const targetOf = (name: string): string => `${name.replaceAll('.', '-')}.test`;
