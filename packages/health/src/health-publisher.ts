import { ClosedError, type DiscoveryLogger, type InstanceStatus } from '@sd/core';
import type { OwnHealth } from './own-check.ts';

/** Where a process publishes its health: a `Registration` of `@sd/registry` is one. */
export interface HealthTarget {
  /** The last call wins; the signal aborts when there is a newer one. */
  reportHealth(status: OwnHealth, options: { readonly signal: AbortSignal }): Promise<void>;
  /** What is published: operators have a say in that too. */
  readonly instance?: { readonly status: InstanceStatus } | undefined;
}

/** Tells one target each change, and after a failure again with the next round. */
export class HealthPublisher {
  readonly target: HealthTarget;
  readonly #logger: DiscoveryLogger;
  #told: OwnHealth | undefined;
  #telling = new AbortController();
  #failing = false;

  constructor(target: HealthTarget, logger: DiscoveryLogger) {
    this.target = target;
    this.#logger = logger;
  }

  tell(status: OwnHealth): void {
    if (status === this.#told) return;
    this.#told = status;
    this.#telling.abort();
    this.#telling = new AbortController();
    void this.#tell(status, this.#telling.signal);
  }

  close(): void {
    this.#telling.abort();
  }

  /** Never throws. */
  async #tell(status: OwnHealth, signal: AbortSignal): Promise<void> {
    try {
      await this.target.reportHealth(status, { signal });
      if (this.#failing) this.#logger.info(`Published the health of this process again: ${status}`);
      this.#failing = false;
    } catch (error) {
      // Closed for good, as when the process leaves: nothing is wrong.
      if (signal.aborted || error instanceof ClosedError) return;
      this.#told = undefined;
      if (!this.#failing) {
        this.#logger.warn('Could not publish the health of this process; trying again', { error });
      }
      this.#failing = true;
    }
  }
}
