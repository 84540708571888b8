import { fileURLToPath } from 'node:url';
import { ManualClock, type Clock, type RegistryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import {
  haltableClock,
  silentLogger,
  virtualTime,
  type HaltableClock,
  type RegistryHarness,
} from '@sd/testkit';
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
    async createClient({ clockOffsetMs = 0 } = {}) {
      const ownClock = haltableClock(shifted(clock, clockOffsetMs));
      const backend = new MemoryBackend({ store, clock: ownClock, logger: silentLogger });
      backends.push(backend);
      return {
        backend: overriding<RegistryBackend>(backend, fault({ backend, store, clock: ownClock })),
        clock: ownClock,
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

/** The same time, but the wrong date. */
function shifted(clock: Clock, offsetMs: number): Clock {
  return {
    now: () => clock.now() + offsetMs,
    monotonic: () => clock.monotonic(),
    setTimer: (callback, delayMs, options) => clock.setTimer(callback, delayMs, options),
  };
}
