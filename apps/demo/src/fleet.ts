import { DiscoveryClient } from '@sd/client';
import { abortable, onAbort, type RegistryBackend } from '@sd/core';
import { Instance } from './instance.ts';
import { followAt, type Pace } from './pace.ts';
import type { Host } from './runner.ts';
import { known, serviceNames, type ServiceName } from './shop.ts';
import { disappearance, type Disappearance, type DisappearanceOptions } from './views.ts';

export interface FleetOptions {
  /** Of the customers. Whoever made it closes it. */
  readonly backend: RegistryBackend;
  /** Where the instances run. */
  readonly host: Host;
  readonly strategy: string;
  readonly pace: Pace;
  /** Told of an instance that died when nobody had killed it. */
  readonly onDeath: (instance: Instance) => void;
}

interface Interruptible {
  readonly signal: AbortSignal;
}

/** All instances of the shop, those that left included, and the view of its customers. */
export class Fleet {
  /** The view of those who call the shop from outside. */
  readonly discovery: DiscoveryClient;
  readonly #options: FleetOptions;
  readonly #instances: Instance[] = [];
  readonly #made = new Map<ServiceName, number>();

  constructor(options: FleetOptions) {
    const { backend, strategy, pace } = options;
    this.#options = options;
    this.discovery = new DiscoveryClient({ backend, strategy, follow: followAt(pace) });
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Those that serve, in the order in which they started. */
  serving(service: ServiceName): readonly Instance[] {
    return this.#instances.filter(
      (instance) => instance.service === service && instance.leftAt === undefined,
    );
  }

  /** @throws when nobody serves */
  oldest(service: ServiceName): Instance {
    const [instance] = this.serving(service);
    if (instance === undefined) throw new Error(`No instance of ${service} serves`);
    return instance;
  }

  /** Resolves when the customers have a view of each service. */
  async open({ signal }: Interruptible): Promise<void> {
    await Promise.all(serviceNames.map((service) => known(service, this.discovery, signal)));
  }

  /** Makes ready for so many instances. */
  async prepare(count: number, options: Interruptible): Promise<void> {
    await this.#options.host.prepare(count, options);
  }

  /** Starts so many instances; resolves when consumers can find them. */
  async start(service: ServiceName, version: string, count: number, options: Interruptible): Promise<void> {
    const starts = Array.from({ length: count }, () => this.#start(service, version, options));
    // All of them, also when one fails: nothing is to be on its way when the fleet closes.
    const results = await Promise.allSettled(starts);
    for (const result of results) if (result.status === 'fulfilled') this.#add(result.value);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Watches how the customers' view, and that of each who calls other services, loses an instance. */
  disappearance(
    { service, id }: Instance,
    { signal, ...options }: Interruptible & DisappearanceOptions,
  ): Promise<readonly Disappearance[]> {
    const gone = { service, id };
    const { doubtMs } = this.#options.pace;
    const views = [
      disappearance(this.discovery, gone, { ...options, doubtMs }),
      ...this.serving('checkout').map((caller) => caller.disappearance(gone, options)),
    ];
    return abortable(Promise.all(views), signal);
  }

  /** Stops all that still run. */
  async close(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.stop()));
    await this.#options.host.close();
    await this.discovery.close();
  }

  async #start(service: ServiceName, version: string, options: Interruptible): Promise<Instance> {
    const { host, strategy, pace } = this.#options;
    const ordinal = (this.#made.get(service) ?? 0) + 1;
    this.#made.set(service, ordinal);
    const zone = ordinal % 2 === 1 ? 'a' : 'b';
    const init = { service, id: `${service}-${ordinal}`, version, zone, strategy, pace };
    return new Instance(init, await host.start(init, options));
  }

  #add(instance: Instance): void {
    this.#instances.push(instance);
    onAbort(instance.died, () => this.#options.onDeath(instance));
  }
}
