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
      const records = present.map(({ name, port }) => ({
        data: { target: targetOf(name), port, priority: 0, weight: 1 },
      }));
      server.set(dnsName, 'SRV', ...records);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const serverFailure = 2;

const targetOf = (name: string): string => `${name.replaceAll('.', '-')}.test`;
