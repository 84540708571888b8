import { fileURLToPath } from 'node:url';
import { ManualClock, type DiscoveryLogger, type RegistryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { haltableClock, virtualTime, type HaltableClock, type RegistryHarness } from '@sd/testkit';
import { overriding } from './overriding.ts';

/** What a faulty backend does otherwise than `backend`. */
export type Fault = (client: FaultyClient) => Partial<RegistryBackend>;

export interface FaultyClient {
  readonly backend: RegistryBackend;
  readonly store: MemoryStore;
  readonly clock: HaltableClock;
}

export async function memoryHarness(fault: Fault = () => ({})): Promise<RegistryHarness> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const backends: RegistryBackend[] = [];
  return {
    time: virtualTime(clock),
    ttl: 9_000,
    push: true,
    pollBoundMs: 0,
    async createClient() {
      const ownClock = haltableClock(clock);
      const backend = new MemoryBackend({ store, clock: ownClock, logger: silent });
      backends.push(backend);
      return {
        backend: overriding<RegistryBackend>(backend, fault({ backend, store, clock: ownClock })),
        crash: async () => ownClock.halt(),
        get pendingTimers() {
          return ownClock.pendingTimers;
        },
      };
    },
    async deleteAsStranger(service, id) {
      store.delete(service, id);
    },
    async writeMalformed(service, key) {
      store.write(service, key, '{ "service": ');
    },
    program: [
      '--conditions=@sd/source',
      '--import=tsx',
      fileURLToPath(new URL('closing-program.ts', import.meta.url)),
    ],
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
    },
  };
}

const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
