import { setLogger } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { cpuMs, serve } from '../program.ts';
import { backendOf, serviceNames, type Place } from './stores.ts';

// A thousand views of an outage are not to be read.
const silent = (): void => undefined;
setLogger({ debug: silent, info: silent, warn: silent, error: silent });

// Many consumers in one process, each with a backend and connections of its own, as if it were alone.
const clients: { readonly client: DiscoveryClient; readonly services: readonly string[] }[] = [];

const tasks = {
  /** @param plan.first place of its first consumer among all */
  async open(plan: {
    readonly place: Place;
    readonly first: number;
    readonly consumers: number;
    readonly services: number;
    readonly each: number;
  }): Promise<void> {
    const names = serviceNames(plan.services);
    for (let consumer = plan.first; consumer < plan.first + plan.consumers; consumer += 1) {
      const services = Array.from(
        { length: plan.each },
        (_, index) => names[(consumer * plan.each + index) % names.length]!, // there are names
      );
      clients.push({ client: new DiscoveryClient({ backend: backendOf(plan.place) }), services });
    }
    await Promise.all(
      clients.flatMap(({ client, services }) =>
        services.map((service) => client.getInstances(service, { timeoutMs: 120_000 })),
      ),
    );
  },

  /** Views by what they are: how many are live, and the instances of all. */
  views(): { readonly live: number; readonly all: number; readonly instances: number } {
    const views = clients.flatMap(({ client, services }) => services.map((service) => client.peek(service)));
    return {
      live: views.filter((view) => view?.state === 'live').length,
      all: views.length,
      instances: views.reduce((sum, view) => sum + (view?.instances.length ?? 0), 0),
    };
  },

  cpuMs,
};

export type ConsumersTasks = typeof tasks;
serve(tasks);
