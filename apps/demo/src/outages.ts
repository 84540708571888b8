import type { DiscoveryClient } from '@sd/client';

/** How often the customers' view lost its store, and for how long. */
export class Outages {
  #count = 0;
  #totalMs = 0;
  #since: number | undefined;

  get count(): number {
    return this.#count;
  }

  /** Until the view was in sync again. */
  get totalMs(): number {
    return this.#totalMs + (this.#since === undefined ? 0 : Date.now() - this.#since);
  }

  /** Resolves when the signal aborts. */
  async watch(discovery: DiscoveryClient, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const { view } of discovery.watch('checkout', { signal })) {
      if (view.state === 'stale') {
        if (this.#since === undefined) this.#count += 1;
        this.#since ??= view.since;
      } else if (this.#since !== undefined) {
        this.#totalMs += view.since - this.#since;
        this.#since = undefined;
      }
    }
  }
}
