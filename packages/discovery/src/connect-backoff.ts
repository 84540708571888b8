import type { Clock, Rng } from '@sd/core';
import type { Endpoint, EndpointPool } from '@sd/load-balancers';

/**
 * Ejects an endpoint that cannot be connected to: 1 s, doubling to 30 s while it keeps failing, +-20 %.
 * Source: gRPC Connection Backoff Protocol. Other failures are for a detector that knows rates.
 */
export class ConnectBackoff {
  readonly #pool: EndpointPool;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #last = new WeakMap<Endpoint, { readonly ejectedMs: number; readonly until: number }>();

  constructor(pool: EndpointPool, clock: Clock, rng: Rng) {
    this.#pool = pool;
    this.#clock = clock;
    this.#rng = rng;
  }

  failed(endpoint: Endpoint): void {
    if (endpoint.unreachable) return; // an attempt that was under way already
    const now = this.#clock.monotonic();
    const last = this.#last.get(endpoint);
    const again = last !== undefined && now < last.until + last.ejectedMs;
    const ejectedMs = again ? Math.min(30_000, last.ejectedMs * 2) : 1_000;
    const jittered = ejectedMs * (0.8 + 0.4 * this.#rng());
    this.#last.set(endpoint, { ejectedMs, until: now + jittered });
    this.#pool.eject(endpoint, jittered, { unreachable: true });
  }
}
