import type { ServiceInstance } from '@sd/core';
import type { CheckedStatus, Endpoint } from './endpoint.ts';

/** The pool's own, writable side of an endpoint. */
export class PooledEndpoint implements Endpoint {
  /** Cheaper on the hot path than `instanceof`, which walks prototypes. */
  static is(endpoint: Endpoint): endpoint is PooledEndpoint {
    return #pooled in endpoint;
  }

  readonly #pooled = true;
  readonly id: string;
  readonly slot: number;
  instance: ServiceInstance;
  inFlight = 0;
  answering = 0;
  ejected = false;
  /** Ejected because nothing listens there: no use even in panic, while there is another. */
  unreachable = false;
  slow = false;
  checked: CheckedStatus = 'unknown';
  isolated = false;
  /** As many in flight as it may have. */
  saturated = false;
  warmth = 1;
  /** It left the pool; attempts on it may still be under way. */
  gone = false;
  /** Its slot may be another's. */
  freed = false;
  /** Number of the snapshot that had it last. */
  seen = 0;

  constructor(instance: ServiceInstance, slot: number) {
    this.id = instance.id;
    this.instance = instance;
    this.slot = slot;
  }
}
