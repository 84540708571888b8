import { ManualClock, type DiscoveryLogger, type RegistryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { haltableClock, virtualTime, type RegistryHarness } from '@sd/testkit';

const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

type Wrap = (backend: MemoryBackend, store: MemoryStore) => RegistryBackend;

/** @param wrap what each client's backend is replaced by, for tests of the suite itself */
export async function memoryHarness(wrap: Wrap = (backend) => backend): Promise<RegistryHarness> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const clients: RegistryBackend[] = [];
  return {
    time: virtualTime(clock),
    ttl: 9_000,
    push: true,
    pollBoundMs: 0,
    async createClient() {
      const ownClock = haltableClock(clock);
      const backend = wrap(new MemoryBackend({ store, clock: ownClock, logger: silent }), store);
      clients.push(backend);
      return {
        backend,
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
    async dispose() {
      await Promise.all(clients.map((backend) => backend.close()));
    },
  };
}
