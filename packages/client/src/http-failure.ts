import { classifyNetworkFailure, type Failure } from '@sd/discovery';
import { RequestError, TimeoutError } from 'got';
import { HttpStatusError, UnusableAddressError } from './errors.ts';
import { parseRetryAfter } from './retry-after.ts';

/** Answers after which another endpoint may do better. */
const retryable: ReadonlyMap<number, Failure['outcome']> = new Map([
  [408, 'timeout'],
  [429, 'overload'],
  [502, 'error'],
  [503, 'overload'],
  [504, 'timeout'],
]);

/** Whether an answer is a failure of the endpoint, not of the request. */
export function isServerFailure(status: number): boolean {
  return status >= 500 || retryable.has(status);
}

/** Whether another endpoint may do better, after an answer with this status. */
export function mayBeRepeated(status: number): boolean {
  return retryable.has(status);
}

/**
 * What the error of an HTTP request means: an `HttpStatusError`, one of the network, or one of got.
 * @param now milliseconds since the epoch
 */
export function classifyHttpFailure(error: unknown, now: number): Failure | undefined {
  if (error instanceof HttpStatusError) {
    const outcome = retryable.get(error.status);
    if (outcome === undefined) return { outcome: 'error', retryable: false };
    return {
      outcome,
      retryable: true,
      retryAfterMs: parseRetryAfter(error.response.headers['retry-after'], now),
      everywhere: error.status === 429, // who asks too much asks too much of all of them
    };
  }
  // Who redirects has had the request, so it may have had an effect, and the connection that failed may be to another.
  if (error instanceof RequestError && (error.request?.redirectUrls.length ?? 0) > 0) {
    return { outcome: 'error', retryable: true };
  }
  if (error instanceof UnusableAddressError) return { outcome: 'connect-failure', retryable: true };
  // got's phases before the request is written.
  if (error instanceof TimeoutError && ['lookup', 'connect', 'secureConnect'].includes(error.event)) {
    return { outcome: 'connect-failure', retryable: true };
  }
  const failure = classifyNetworkFailure(error);
  if (failure !== undefined) return failure;
  // Whatever else got reports (TLS, malformed HTTP, too many redirects) may be this endpoint's own fault.
  return error instanceof RequestError ? { outcome: 'error', retryable: true } : undefined;
}
