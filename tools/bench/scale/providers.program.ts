import { createInstance, type Lease } from '@sd/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { now, serve } from '../program.ts';
import { backendOf, serviceNames, type Place } from './stores.ts';

/** All instances of a benchmark are of this process. */
const leases: Lease[] = [];

const tasks = {
  /** @returns milliseconds that it took */
  async publish(plan: {
    readonly place: Place;
    readonly services: number;
    readonly perService: number;
    readonly ttl: number;
  }): Promise<number> {
    const { place, services, perService, ttl } = plan;
    const backend = backendOf(place);
    const startedAt = now();
    const instances = serviceNames(services).flatMap((service) =>
      Array.from({ length: perService }, (_, index) =>
        createInstance(
          {
            service,
            host: `10.0.${index}.1`,
            port: 8_080,
            zone: `zone-${index % 3}`,
            metadata: { version: '1.4.2' },
          },
          Date.now(),
        ),
      ),
    );
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let instance = instances[next++]; instance !== undefined; instance = instances[next++]) {
        leases.push(await backend.register(instance, { ttl }));
      }
    };
    await Promise.all(Array.from({ length: 500 }, lane));
    return now() - startedAt;
  },

  /** Changes one instance after the other, at that rate. @returns how many */
  async change({ perSecond, ms }: { readonly perSecond: number; readonly ms: number }): Promise<number> {
    const startedAt = now();
    let changed = 0;
    while (now() - startedAt < ms) {
      const due = Math.floor(((now() - startedAt) * perSecond) / 1_000);
      const some: Promise<void>[] = [];
      for (; changed < due; changed += 1) {
        const lease = leases[(changed * 7_919) % leases.length];
        if (lease !== undefined) some.push(lease.update({ ...lease.instance, weight: 1 + (changed % 9) }));
      }
      await Promise.all(some);
      await sleep(10);
    }
    return changed;
  },
};

export type ProvidersTasks = typeof tasks;
serve(tasks);
