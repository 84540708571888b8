import { expect } from 'vitest';
import {
  addressOf,
  createInstance,
  seededRng,
  type Lease,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import { ServiceRegistry, type Registration } from '@sd/registry';
import type { BackendClient, BackendHarness, RegistryHarness } from './backend-harness.ts';
import { registering } from './capability.ts';
import { eventually } from './eventually.ts';
import { silentLogger } from './silent-logger.ts';
import type { TestTime } from './test-time.ts';
import { ViewRecorder } from './view-recorder.ts';
import { WatchRecorder } from './watch-recorder.ts';

/** What cases do with a harness, in their words, whether its backend registers or only reads. */
export class Scene<H extends BackendHarness = BackendHarness> {
  readonly harness: H;
  readonly time: TestTime;
  readonly #leases = new Map<string, Lease>();
  readonly #registries: ServiceRegistry[] = [];
  readonly #views: ViewRecorder[] = [];
  #provider: Promise<BackendClient<RegistryBackend>> | undefined;
  #seeds = 0;

  constructor(harness: H) {
    this.harness = harness;
    this.time = harness.time;
  }

  /** How long a change may take to be seen, in milliseconds. */
  get seenWithinMs(): number {
    return this.time.promptMs + (this.harness.push ? 0 : this.harness.pollBoundMs);
  }

  /** How long what expired may still be seen, in milliseconds after its time. */
  get expiredWithinMs(): number {
    return this.time.promptMs + this.harness.pollBoundMs;
  }

  /** How long a connection may say nothing before it is taken for lost, and how long that takes to be noticed. */
  get noticedWithinMs(): number {
    return 2 * (this.harness.silenceMs ?? 5_000) + this.expiredWithinMs;
  }

  instance(n: number, service = 'orders'): ServiceInstance {
    return this.harness.instance?.(service, n) ?? exampleInstance(service, n);
  }

  changed(instance: ServiceInstance): ServiceInstance {
    const other = { ...instance, metadata: { ...instance.metadata, revision: '2' } };
    return this.harness.changed?.(instance) ?? other;
  }

  async publish(instance: ServiceInstance): Promise<void> {
    const { harness } = this;
    if (!registering.isIn(harness)) return harness.publish(instance);
    const { backend } = await (this.#provider ??= harness.createClient());
    this.#leases.set(keyOf(instance), await backend.register(instance, { ttl: harness.ttl }));
  }

  async withdraw(instance: ServiceInstance): Promise<void> {
    const { harness } = this;
    if (!registering.isIn(harness)) return harness.withdraw(instance.service, instance.id);
    await this.#leases.get(keyOf(instance))?.release();
  }

  /** A watch of a client of its own that has had its first snapshot. */
  async watch(service = 'orders'): Promise<WatchRecorder> {
    const { backend } = await this.harness.createClient();
    const watch = new WatchRecorder(backend, service, this.time);
    await watch.next(() => true, { timeoutMs: this.seenWithinMs + 5_000 });
    return watch;
  }

  /** Publishes the instance as a provider does: for as long as it lives, whatever becomes of the store. */
  async provide(
    this: Scene<RegistryHarness>,
    instance: ServiceInstance,
    client?: BackendClient<RegistryBackend>,
  ): Promise<Registration> {
    const { backend, clock } = client ?? (await this.harness.createClient());
    const registry = new ServiceRegistry({
      backend,
      ttlMs: this.harness.ttl,
      clock,
      rng: this.#rng(),
      logger: silentLogger,
    });
    this.#registries.push(registry);
    const { registeredAt: _registered, updatedAt: _updated, ...init } = instance;
    return registry.register(init);
  }

  /** How long it may take until all is published and seen again once the store serves: T/3 to notice, and pauses. */
  restoredWithinMs(this: Scene<RegistryHarness>): number {
    return this.harness.ttl + 2 * this.expiredWithinMs;
  }

  /** A view as consumers have it, of a client of its own unless one is given; it has been in sync. */
  async follow(service = 'orders', client?: BackendClient): Promise<ViewRecorder> {
    const { harness, time } = this;
    const { backend, clock } = client ?? (await harness.createClient());
    const ttl = registering.isIn(harness) ? harness.ttl : 1_000;
    const view = new ViewRecorder(backend, service, { time, clock, rng: this.#rng(), ttl });
    this.#views.push(view);
    await view.shows(() => true, this.seenWithinMs + 5_000);
    return view;
  }

  /** Ends what the case has not ended itself; the instances are left to the store. */
  async close(): Promise<void> {
    for (const view of this.#views) view.close();
    await Promise.all(this.#registries.map((registry) => registry.close()));
  }

  #rng() {
    this.#seeds += 1;
    return seededRng(this.#seeds);
  }

  /** The newest snapshot becomes exactly these instances, as soon as it must. */
  async sees(watch: WatchRecorder, instances: readonly ServiceInstance[]): Promise<void> {
    const expected = addresses(instances);
    await eventually(() => expect(addresses(watch.latest ?? [])).toEqual(expected), {
      timeoutMs: this.seenWithinMs,
      time: this.time,
    });
  }

  /** Lets everything come in that is under way. */
  async settle(): Promise<void> {
    await this.time.advance(this.expiredWithinMs);
  }
}

/** Who they are in any store, sorted: ids may be the store's own. */
export function addresses(instances: readonly ServiceInstance[]): string[] {
  return instances.map(addressOf).sort();
}

/** Stores count in whole milliseconds. */
export const storeClockGrainMs = 1;

const keyOf = ({ service, id }: ServiceInstance): string => `${service}/${id}`;

function exampleInstance(service: string, n: number): ServiceInstance {
  return createInstance(
    {
      service,
      id: `${service}-${n}`,
      host: `10.0.0.${n}`,
      port: 8080,
      protocol: 'https',
      version: '1.2.3-rc.1+build.5',
      region: 'eu',
      zone: 'eu-1',
      weight: 2.5,
      priority: 1,
      tags: ['canary', 'a b', 'ä/ö'],
      metadata: { empty: '', path: 'a/b?c=d', text: 'naïve "quoted"\nline' },
      status: 'degraded',
    },
    1_767_225_600_000,
  );
}
