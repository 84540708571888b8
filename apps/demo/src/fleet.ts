import { DiscoveryClient } from '@sd/client';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { Instance } from './instance.ts';
import { Ledger } from './ledger.ts';
import {
  checkoutService,
  ordersService,
  paymentsService,
  type OnAnswer,
  type Service,
  type ServiceName,
} from './shop.ts';

export interface FleetOptions {
  readonly strategy: string;
  readonly ttlMs: number;
  /** How long draining instances wait for consumers to hear of it. */
  readonly propagationMs: number;
  readonly onAnswer: OnAnswer;
}

/** All instances of the shop, those that left included, and the store where they meet. */
export class Fleet {
  readonly ledger = new Ledger();
  /** The view of those who call the shop from outside. */
  readonly discovery: DiscoveryClient;
  readonly #options: FleetOptions;
  readonly #store = new MemoryStore();
  readonly #backend = new MemoryBackend({ store: this.#store });
  readonly #instances: Instance[] = [];
  readonly #made = new Map<ServiceName, number>();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.discovery = new DiscoveryClient({ backend: this.#backend, strategy: options.strategy });
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

  /** Starts so many instances; resolves when consumers can find them. */
  async start(service: ServiceName, version: string, count: number): Promise<void> {
    const instances = Array.from({ length: count }, () => this.#make(service, version));
    await Promise.all(instances.map((instance) => instance.start()));
    this.#instances.push(...instances);
  }

  /** Stops all that still run. */
  async close(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.stop()));
    await this.discovery.close();
    await this.#backend.close();
  }

  #make(service: ServiceName, version: string): Instance {
    const { strategy, ttlMs, propagationMs } = this.#options;
    const ordinal = (this.#made.get(service) ?? 0) + 1;
    this.#made.set(service, ordinal);
    const id = `${service}-${ordinal}`;
    return new Instance({
      service,
      id,
      version,
      zone: ordinal % 2 === 1 ? 'a' : 'b',
      strategy,
      store: this.#store,
      ttlMs,
      propagationMs,
      makeService: (discovery) => this.#makeService(service, { id, version, discovery }),
    });
  }

  #makeService(
    service: ServiceName,
    { id, version, discovery }: { id: string; version: string; discovery: DiscoveryClient },
  ): Service {
    if (service === 'orders') return ordersService({ version });
    if (service === 'payments') return paymentsService({ id, ledger: this.ledger });
    return checkoutService({ discovery, onAnswer: this.#options.onAnswer });
  }
}
