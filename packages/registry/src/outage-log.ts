import { AccessDeniedError, DiscoveryError, type DiscoveryLogger } from '@sd/core';

/** Logs each kind of trouble once per outage, however often it is met, and the end of the outage. */
export class OutageLog {
  readonly #logger: DiscoveryLogger;
  readonly #reported = new Set<string>();

  constructor(logger: DiscoveryLogger) {
    this.#logger = logger;
  }

  trouble(message: string, error: unknown): void {
    const kind = error instanceof DiscoveryError ? error.code : 'unknown';
    if (this.#reported.has(kind)) return;
    this.#reported.add(kind);
    const needsSomebody = error instanceof AccessDeniedError;
    this.#logger[needsSomebody ? 'error' : 'warn'](message, { error });
  }

  recovered(message: string): void {
    if (this.#reported.size > 0) this.#logger.info(message);
    this.#reported.clear();
  }
}
