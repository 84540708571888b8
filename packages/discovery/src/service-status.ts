import type { ServiceView } from '@sd/core';
import type { CircuitState } from '@sd/health';

/** How a client does with a service that it uses, beside how its endpoints are. */
export interface ServiceStatus {
  readonly service: string;
  readonly view: ServiceView;
  /** For how long the view has not been in sync with the store, in milliseconds; 0 when it is. */
  readonly outOfSyncMs: number;
  readonly breaker: CircuitState['value'];
  /** Retries that the budget would grant now. */
  readonly retriesLeft: number;
}
