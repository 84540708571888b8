import type { CheckResult } from './health-check.ts';

/** A result whose detail is fit to be shown: on one line, and not too long. */
export function finding(
  status: CheckResult['status'],
  detail: string,
  { unreachable = false }: { readonly unreachable?: boolean | undefined } = {},
): CheckResult {
  return { status, detail: showable(detail), ...(unreachable ? { unreachable } : {}) };
}

export const unhealthy = (detail: string): CheckResult => finding('unhealthy', detail);

/** What an error says; Node leaves the message of some empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.map(messageOf).join(', '); // one for each address of the host
  }
  return error.name;
}

const maxDetailLength = 200;

function showable(detail: string): string {
  // What others wrote must not steer a terminal, and only the beginning of a very long text is worth the work.
  const text = detail
    .slice(0, 4 * maxDetailLength)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return text.length > maxDetailLength ? `${text.slice(0, maxDetailLength - 3)}...` : text;
}
