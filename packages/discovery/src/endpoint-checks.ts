import { ClosedError } from '@sd/core';
import type { AdvancedHealthChecker } from '@sd/health';
import type { Endpoint, EndpointPool } from '@sd/load-balancers';

/** Has the endpoints of a pool checked, each while it is there, and tells the pool what was found. */
export class EndpointChecks {
  readonly #pool: EndpointPool;
  readonly #checker: AdvancedHealthChecker;
  readonly #onChange: () => void;
  readonly #watches = new Map<Endpoint, { readonly protocol: string; readonly stop: () => void }>();

  /** @param onChange hears that somebody's status is another */
  constructor(pool: EndpointPool, checker: AdvancedHealthChecker, onChange: () => void) {
    this.#pool = pool;
    this.#checker = checker;
    this.#onChange = onChange;
  }

  /** The pool has another snapshot. */
  update(): void {
    const present = new Set(this.#pool.endpoints);
    for (const [endpoint, { protocol, stop }] of this.#watches) {
      // What is another address is another endpoint; another protocol is not, and is checked in another way.
      if (present.has(endpoint) && endpoint.instance.protocol === protocol) continue;
      stop();
      this.#watches.delete(endpoint);
    }
    for (const endpoint of present) {
      if (this.#watches.has(endpoint)) continue;
      const { protocol } = endpoint.instance;
      this.#watches.set(endpoint, { protocol, stop: this.#watch(endpoint) });
    }
  }

  close(): void {
    for (const { stop } of this.#watches.values()) stop();
    this.#watches.clear();
  }

  #watch(endpoint: Endpoint): () => void {
    try {
      return this.#checker.watch(endpoint.instance, ({ status }) => {
        if (status === 'unknown') return;
        this.#pool.report(endpoint, status);
        this.#onChange();
      });
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
      this.#pool.report(endpoint, 'unknown'); // whoever made the checker has closed it: nobody is to look any more
      return () => undefined;
    }
  }
}
