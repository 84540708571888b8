import { fileURLToPath } from 'node:url';
import { createInstance, type ServiceInstance } from '@sd/core';
import { realTime, silentLogger, type ReadOnlyHarness } from '@sd/testkit';
import { DnsServer } from '../../../../tools/servers/index.ts';
import { DnsBackend, type DnsBackendOptions } from '../src/index.ts';

const maxIntervalMs = 60;

/** The names that cases use. */
const services = [
  ...['orders', 'payments', 'web', 'we', 'web-2', 'web.2', 'web2'],
  ...['constructor', 'hasOwnProperty', 'toString', 'valueOf'],
];

/**
 * The store is an authoritative server of ours, with a TTL of 0.
 * @param reach how clients reach it
 */
export async function dnsHarness(
  reach: (server: DnsServer) => Partial<DnsBackendOptions>,
): Promise<ReadOnlyHarness> {
  const server = await DnsServer.start();
  const published = new Map<string, Map<string, RecordData>>();
  const backends: DnsBackend[] = [];

  const set = (service: string, id: string, record: RecordData | undefined): void => {
    const records = published.get(service) ?? new Map<string, RecordData>();
    if (record === undefined) records.delete(id);
    else records.set(id, record);
    published.set(service, records);
    server.set(nameOf(service), 'SRV', ...Array.from(records.values(), (data) => ({ data })));
  };

  return {
    time: realTime(),
    push: false,
    pollBoundMs: 1.25 * maxIntervalMs,
    async createClient() {
      const backend = new DnsBackend({
        name: `${nameOf('{service}')}.`,
        services,
        minIntervalMs: 20,
        maxIntervalMs,
        logger: silentLogger,
        ...reach(server),
      });
      backends.push(backend);
      return { backend, crash: () => backend.close() };
    },
    async publish({ service, id, host, port, weight, priority }) {
      const target = `${id}.test`;
      server.set(target, 'A', { data: host });
      set(service, id, { target, port, weight, priority });
    },
    async withdraw(service, id) {
      set(service, id, undefined);
    },
    async writeMalformed(service, key) {
      set(service, key, { target: `${key}.test`, port: 0, weight: 1, priority: 1 });
      server.set(`${key}.test`, 'A', { data: '10.0.0.99' });
    },
    instance: (service, n) => createInstance({ ...example, service, host: `10.0.0.${n}` }, 0),
    changed: (instance: ServiceInstance) => ({ ...instance, weight: instance.weight + 1 }),
    program: [
      '--conditions=@sd/source',
      '--import=tsx',
      fileURLToPath(new URL('closing.program.ts', import.meta.url)),
      server.address,
    ],
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await server.close();
    },
  };
}

const nameOf = (service: string): string => `_${service}._tcp.test`;

const example = { port: 8080, weight: 2, priority: 1 };

interface RecordData {
  readonly target: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
}
