import type { AttemptTrace } from '@sd/discovery';

const methods = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'];
const places = new Map(methods.map((method, place) => [method, place]));

/** As the conventions have it, others are `_OTHER`. */
export const boundedMethod = (method: string, other = '_OTHER'): string =>
  places.has(method) ? method : other;

/** The status code; undefined if there was none, or a number that is none. */
export function statusOf({ status }: AttemptTrace): number | undefined {
  const isOne = status !== undefined && Number.isInteger(status) && status >= 100 && status <= 599;
  return isOne ? status : undefined;
}

/** The status from 400 on, else how the attempt ended; undefined: nothing was wrong. */
export function errorTypeOf(attempt: AttemptTrace): string | undefined {
  const status = statusOf(attempt);
  if (status !== undefined && status >= 400) return String(status);
  return attempt.outcome === 'ok' ? undefined : attempt.outcome;
}

const outcomes = ['ok', 'error', 'overload', 'connect-failure', 'timeout', 'cancelled'];

/** Hot path. A number for the method, the status and the outcome, the same one for those that are measured alike. */
export function kindOfRequest(attempt: AttemptTrace, method: string): number {
  const place = places.get(method) ?? methods.length;
  return (place * 600 + (statusOf(attempt) ?? 0)) * 10 + outcomes.indexOf(attempt.outcome ?? 'ok');
}
