import { DiscoveryClient, telemetry } from '@sd/discovery';
import { cpuMs, now, serve } from '../program.ts';
import { backendOf, serviceNames, type Place } from './stores.ts';

// One process that watches everything, as a gateway does.
let client: DiscoveryClient | undefined;
let changes = 0;
telemetry.snapshot.subscribe(() => (changes += 1));

const tasks = {
  /** @returns how long it took until all views were there, what of that was CPU time, and the memory they take */
  async watch({ place, services }: { readonly place: Place; readonly services: number }) {
    client = new DiscoveryClient({ backend: backendOf(place) });
    const names = serviceNames(services);
    globalThis.gc?.();
    const heapBefore = process.memoryUsage().heapUsed;
    const [startedAt, cpuBefore] = [now(), cpuMs()];
    let instances = 0;
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let name = names[next++]; name !== undefined; name = names[next++]) {
        const found = (await client?.getInstances(name, { timeoutMs: 120_000 })) ?? [];
        instances += found.length;
      }
    };
    await Promise.all(Array.from({ length: 500 }, lane));
    const took = { ms: now() - startedAt, cpuMs: cpuMs() - cpuBefore };
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return { ...took, instances, heapMb: (heapUsed - heapBefore) / 1e6, rssMb: rss / 1e6 };
  },

  /** So far. */
  spent: () => ({ cpuMs: cpuMs(), changes }),
};

export type WatcherTasks = typeof tasks;
serve(tasks);
