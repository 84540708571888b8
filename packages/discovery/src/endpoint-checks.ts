import type { AdvancedHealthChecker } from '@sd/health';
import type { Endpoint, EndpointPool } from '@sd/load-balancers';

/** Has the endpoints of a pool checked, each while it is there, and tells the pool what was found. */
export class EndpointChecks {
  readonly #pool: EndpointPool;
  readonly #checker: AdvancedHealthChecker;
  readonly #stops = new Map<Endpoint, () => void>();

  constructor(pool: EndpointPool, checker: AdvancedHealthChecker) {
    this.#pool = pool;
    this.#checker = checker;
  }

  /** The pool has another snapshot. */
  update(): void {
    const present = new Set(this.#pool.endpoints);
    for (const [endpoint, stop] of this.#stops) {
      if (present.has(endpoint)) continue;
      stop();
      this.#stops.delete(endpoint);
    }
    for (const endpoint of present) {
      if (!this.#stops.has(endpoint)) this.#stops.set(endpoint, this.#watch(endpoint));
    }
  }

  close(): void {
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
  }

  #watch(endpoint: Endpoint): () => void {
    return this.#checker.watch(endpoint.instance, ({ status }) => {
      if (status !== 'unknown') this.#pool.report(endpoint, status);
    });
  }
}
