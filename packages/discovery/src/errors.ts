import { addressOf, DiscoveryError, takesRequests, type ErrorContext, type ServiceInstance } from '@sd/core';
import type { Endpoint, Outcome, PickReason } from '@sd/load-balancers';
import type { AttemptKind } from './telemetry.ts';

/** The backend knows no instance of the service at all. */
export class UnknownServiceError extends DiscoveryError {
  readonly code = 'ERR_SD_UNKNOWN_SERVICE';

  constructor(service: string, backend: string) {
    super(
      `Service "${service}" has no instances in backend "${backend}". Is the name right, and has a provider registered?`,
      { service },
    );
  }
}

/** Named by its id, and not there. */
export class UnknownInstanceError extends DiscoveryError {
  readonly code = 'ERR_SD_UNKNOWN_INSTANCE';

  constructor(service: string, instanceId: string) {
    super(`Service "${service}" has no instance "${instanceId}" that this client knows.`, { service });
  }
}

/** There are instances, but none that may be called. */
export class NoHealthyInstanceError extends DiscoveryError {
  readonly code = 'ERR_SD_NO_HEALTHY_INSTANCE';

  /** @param known all instances of the service @param matching how those are that the filter let through */
  constructor(
    service: string,
    known: readonly ServiceInstance[],
    matching: readonly Pick<ServiceInstance, 'status'>[],
  ) {
    super(
      matching.length === 0
        ? `No instance of "${service}" matches the filter (${known.length} known)`
        : `No healthy instance of "${service}" (${matching.length} known: ${countStatuses(matching)})`,
      { service },
    );
  }
}

/**
 * The call was shed: all instances that may be called have as many attempts in flight as one may have, and there was no
 * room in the queue, or no end of the wait. Express, Fastify and others answer an error's `statusCode`.
 */
export class OverloadedError extends DiscoveryError {
  readonly code = 'ERR_SD_OVERLOADED';
  readonly statusCode = 503;
  /** When it may be worth another try, in milliseconds. */
  readonly retryAfterMs = 1_000;

  /** @param queued calls that wait */
  constructor(service: string, queued: number) {
    super(
      `Service "${service}" is overloaded: each usable instance has as many calls in flight as allowed (maxInFlight)` +
        (queued === 0 ? '' : `, and ${queued} more wait`),
      { service },
    );
  }
}

function countStatuses(instances: readonly Pick<ServiceInstance, 'status'>[]): string {
  const counts = new Map<string, number>();
  for (const { status } of instances) {
    const why = takesRequests(status) ? `${status} but left out by a layer` : status;
    counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
}

/** One attempt of a call, after its end. */
export interface AttemptReport {
  readonly endpoint: Endpoint;
  /** Why this endpoint. */
  readonly reason: PickReason;
  readonly kind: AttemptKind;
  readonly outcome: Outcome;
  readonly durationMs: number;
}

/** A call failed for a reason that the engine of attempts knows; `attempts` says what was tried, in order. */
export abstract class CallError extends DiscoveryError {
  readonly attempts: readonly AttemptReport[];

  constructor(message: string, attempts: readonly AttemptReport[], context: ErrorContext) {
    const last = attempts.at(-1)?.endpoint.instance;
    super(message, { ...context, endpoint: last === undefined ? undefined : addressOf(last) });
    this.attempts = attempts;
  }
}

/** The call as a whole took too long. */
export class DeadlineExceededError extends CallError {
  readonly code = 'ERR_SD_DEADLINE_EXCEEDED';

  constructor(service: string, deadlineMs: number, attempts: readonly AttemptReport[], cause: unknown) {
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    const during =
      attempts.length === 0 ? `before an instance was known${reason}` : `after ${describeAttempts(attempts)}`;
    super(`Call to "${service}" exceeded its deadline of ${deadlineMs} ms ${during}`, attempts, {
      service,
      cause,
    });
  }
}

/** The last attempt took too long, and there was no further one. */
export class AttemptTimeoutError extends CallError {
  readonly code = 'ERR_SD_ATTEMPT_TIMEOUT';

  constructor(service: string, attemptTimeoutMs: number, attempts: readonly AttemptReport[]) {
    super(
      `Call to "${service}" got no answer within ${attemptTimeoutMs} ms: ${describeAttempts(attempts)}`,
      attempts,
      { service },
    );
  }
}

/** The last attempt failed in the network, and there was no further one. `cause` has what the network said. */
export class ConnectionError extends CallError {
  readonly code = 'ERR_SD_CONNECTION';

  constructor(service: string, attempts: readonly AttemptReport[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Call to "${service}" failed: ${reason}: ${describeAttempts(attempts)}`, attempts, {
      service,
      cause,
    });
  }
}

function describeAttempts(attempts: readonly AttemptReport[]): string {
  const list = attempts
    .map(({ endpoint, outcome }) => `${addressOf(endpoint.instance)} ${outcome}`)
    .join(', ');
  return `${attempts.length} ${attempts.length === 1 ? 'attempt' : 'attempts'} (${list})`;
}
