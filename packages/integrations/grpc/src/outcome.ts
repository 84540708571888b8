import { status } from '@grpc/grpc-js';
import type { Outcome } from '@sd/load-balancers';

/**
 * What the status of a call says of the instance. Most statuses are answers of the application: it works. INTERNAL,
 * UNKNOWN (what a handler threw) and DATA_LOSS are to gRPC what 500 is to HTTP. A connection that never opened has no
 * call, and is reported by itself.
 */
export function outcomeOf(code: status): Outcome {
  return outcomes[code] ?? 'ok';
}

/** By code, for the hot path. */
const outcomes: readonly (Outcome | undefined)[] = Object.assign(new Array<Outcome | undefined>(17), {
  [status.CANCELLED]: 'cancelled',
  [status.UNKNOWN]: 'error',
  [status.DEADLINE_EXCEEDED]: 'timeout',
  [status.RESOURCE_EXHAUSTED]: 'overload',
  [status.INTERNAL]: 'error',
  [status.UNAVAILABLE]: 'error',
  [status.DATA_LOSS]: 'error',
});
