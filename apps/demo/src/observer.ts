import type { Calls } from './calls.ts';
import type { Fleet } from './fleet.ts';
import type { InstanceState, ShopState } from './shop-state.ts';
import { serviceNames } from './shop.ts';

/** Looks at the shop: what happens in the instances, and what the registry says of them. */
export class Observer {
  readonly #fleet: Fleet;
  readonly #calls: Calls;
  readonly #goneSince = new Map<string, number>();

  constructor(fleet: Fleet, calls: Calls) {
    this.#fleet = fleet;
    this.#calls = calls;
  }

  async look(): Promise<Pick<ShopState, 'calls' | 'instances'>> {
    const calls = this.#calls;
    const services = await Promise.all(serviceNames.map((service) => this.#instances(service)));
    return {
      calls: {
        ...calls.read(),
        made: calls.made,
        failed: calls.failed.length,
        retries: calls.allRetries,
        inFlight: calls.inFlight,
      },
      instances: services.flat(),
    };
  }

  /** Those that the registry knows, and those that left just now. */
  async #instances(service: string): Promise<readonly InstanceState[]> {
    const known = await this.#fleet.discovery.getInstances(service);
    const statuses = new Map(known.map(({ id, status }) => [id, status]));
    return this.#fleet.instances
      .filter((instance) => instance.service === service)
      .map(({ id, version, fate, traffic }) => {
        const { perSecond, p50, p99, inFlight } = traffic;
        return { service, id, version, status: statuses.get(id), fate, inFlight, perSecond, p50, p99 };
      })
      .filter(({ id, status }) => status !== undefined || this.#leftJustNow(id));
  }

  #leftJustNow(id: string): boolean {
    const now = performance.now();
    const since = this.#goneSince.get(id) ?? now;
    this.#goneSince.set(id, since);
    return now - since < 2_000;
  }
}
