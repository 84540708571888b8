import { validate } from '@sd/core';
import { Agent, Pool } from 'undici';
import * as v from 'valibot';
import { EndpointPools } from './endpoint-pools.ts';
import {
  checkDiscoverOptions,
  discoverOptionEntries,
  namingOf,
  poolOptionEntries,
  type DiscoverOptions,
  type ServernameOf,
} from './options.ts';
import { RequestSettings } from './request-settings.ts';
import { ServiceDispatcher } from './service-dispatcher.ts';

export interface DiscoveryAgentOptions extends DiscoverOptions {
  /** For connecting and TLS of an instance, in milliseconds. Default: 1,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** The name that the certificate of an instance with protocol `https` must have. Default: that of its service. */
  readonly servername?: ServernameOf | undefined;
  /**
   * Of each pool of connections, also to hosts that are no services; see undici's `Pool`: `connections`, `pipelining`,
   * `allowH2`, `keepAliveTimeout`, `bodyTimeout`, `connect` (with `ca`, `cert`, `key`) and so on.
   */
  readonly pool?: Omit<Pool.Options, 'factory' | 'interceptors'> | undefined;
}

/**
 * An `Agent` of undici to whose requests the host is the name of a service: each goes to an instance that can take it,
 * and is repeated on another one where that is safe. Requests to other hosts go where their URL says.
 *
 * Each instance has a pool of connections, which is closed, when its last request has ended, after the instance has left.
 */
export class DiscoveryAgent extends Agent {
  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: DiscoveryAgentOptions) {
    validate('DiscoveryAgent', agentOptionsSchema, options);
    const { connectTimeoutMs, servername, pool = {}, ...discover } = options;
    checkDiscoverOptions('DiscoveryAgent', discover);
    const nameOf = namingOf(discover.services);
    const settings = new RequestSettings(discover);
    const pools = { discovery: discover.discovery, pool, connectTimeoutMs, servername };
    super({
      ...pool,
      factory: (origin) => {
        const url = new URL(origin);
        const service = nameOf(url);
        if (service === undefined) return new Pool(url, pool);
        return new ServiceDispatcher({ service, url, settings, route: new EndpointPools(pools) });
      },
    });
  }
}

const agentOptionsSchema = v.strictObject(
  { ...discoverOptionEntries, ...poolOptionEntries },
  'an object with discovery',
);
