import type { Endpoint, Outcome } from '@sd/load-balancers';
import type { Silent } from './silence.ts';

/** Why an endpoint is ejected, with the figures that decided. */
export type EjectionCause =
  | { readonly reason: 'failures'; readonly outcome: 'error' | 'timeout'; readonly consecutive: number }
  | { readonly reason: 'unreachable'; readonly consecutive: number }
  | { readonly reason: 'rate'; readonly successRate: number; readonly attempts: number }
  | {
      readonly reason: 'outlier';
      readonly successRate: number;
      readonly attempts: number;
      /** Of all endpoints with enough attempts. */
      readonly mean: number;
      readonly deviation: number;
    }
  | ({ readonly reason: 'silent' } & Silent)
  /** It said itself when to come back. */
  | { readonly reason: 'asked'; readonly askedMs: number }
  /** The attempt that was to show whether it is well again. */
  | { readonly reason: 'probe'; readonly outcome: Outcome };

export type EjectionReason = EjectionCause['reason'];

/**
 * An endpoint's circuit breaker: its ejection is the open circuit. Times are of the detector's clock, `monotonic()`.
 */
export type EndpointState =
  | { readonly value: 'closed' }
  | {
      readonly value: 'open';
      readonly reason: EjectionReason;
      readonly since: number;
      /** When it is probed. */
      readonly until: number;
    }
  | { readonly value: 'half-open'; readonly reason: EjectionReason; readonly since: number }
  | { readonly value: 'isolated'; readonly since: number };

export type OutlierEvent = { readonly endpoint: Endpoint } & (
  | ({
      readonly type: 'eject';
      readonly forMs: number;
      /** In a row, this one included; 0 when it asked for it. */
      readonly ejections: number;
    } & EjectionCause)
  /** It would be ejected, but too many are. Said once, until the reason is gone. */
  | ({ readonly type: 'cap'; readonly ejected: number; readonly most: number } & EjectionCause)
  /** Its next attempt decides. */
  | { readonly type: 'half-open'; readonly reason: EjectionReason }
  /** Back in rotation. */
  | { readonly type: 'return'; readonly reason: EjectionReason; readonly afterMs: number }
  | {
      readonly type: 'degrade';
      /** About 93,000, the most there is, where attempts lost against others, so that nobody knows how long they take. */
      readonly p90Ms: number;
      /** The median of its peers' 90th percentiles. */
      readonly peersP90Ms: number;
      /** When it is probed; degradations in a row, this one included. */
      readonly forMs: number;
      readonly degradations: number;
    }
  | { readonly type: 'undegrade'; readonly medianMs: number; readonly peersP90Ms: number }
  | { readonly type: 'isolate' }
  | { readonly type: 'release' }
);
