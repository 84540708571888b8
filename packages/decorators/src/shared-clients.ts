import { ServiceClient, type ServiceClientDefaults } from '@sd/client';
import type { DiscoveryClient } from '@sd/discovery';
import { isDeepStrictEqual } from 'node:util';
import type { Source } from './construction.ts';

/** One client for all who want the same service with the same options, so that they share its connections. */
export class SharedClients implements Source {
  readonly discovery: DiscoveryClient;
  readonly #defaults: ServiceClientDefaults;
  readonly #known: { readonly wanted: ServiceClientDefaults; readonly client: ServiceClient }[] = [];

  constructor(discovery: DiscoveryClient, defaults: ServiceClientDefaults) {
    this.discovery = discovery;
    this.#defaults = defaults;
  }

  /** @throws {ConfigValidationError} naming each wrong option */
  client(service: string, options: ServiceClientDefaults): ServiceClient {
    const wanted = { ...this.#defaults, ...options, service };
    const known = this.#known.find((each) => isSame(each.wanted, wanted));
    if (known !== undefined) return known.client;
    const client = new ServiceClient({ ...wanted, discovery: this.discovery });
    this.#known.push({ wanted, client });
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#known.map(({ client }) => client.close()));
    await this.discovery.close();
  }
}

/** Transports keep what tells them apart to themselves. */
function isSame(one: ServiceClientDefaults, other: ServiceClientDefaults): boolean {
  return one.transport === other.transport && isDeepStrictEqual(one, other);
}
