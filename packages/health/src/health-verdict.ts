import { takesRequests, type InstanceStatus } from '@sd/core';
import type { OwnCheckState } from './own-check.ts';

/** What the health of a process is read from: a `SelfCheck`. */
export interface HealthSource {
  readonly readiness: InstanceStatus;
  readonly checks: ReadonlyMap<string, OwnCheckState>;
}

/** As draft-inadarei-api-health-check has it. */
export interface Verdict {
  readonly status: 'pass' | 'warn' | 'fail';
  readonly output?: string;
  readonly checks?: Readonly<Record<string, readonly Verdict[]>>;
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Never throws: where nothing can be said, the answer is `fail`. */
export function answer(method: string | undefined, judge: () => Verdict): Answer {
  const headers = { 'cache-control': 'no-store' };
  if (method !== 'GET' && method !== 'HEAD') {
    return { statusCode: 405, headers: { ...headers, allow: 'GET, HEAD', 'content-length': '0' }, body: '' };
  }
  const verdict = attempt(judge);
  const body = JSON.stringify(verdict);
  return {
    statusCode: verdict.status === 'fail' ? 503 : 200,
    headers: {
      ...headers,
      'content-type': 'application/health+json',
      'content-length': String(Buffer.byteLength(body)),
    },
    body,
  };
}

function attempt(judge: () => Verdict): Verdict {
  try {
    return judge();
  } catch {
    return { status: 'fail' };
  }
}

export function judgeLiveness(live: () => boolean): Verdict {
  return { status: live() ? 'pass' : 'fail' };
}

export function judgeReadiness(source: HealthSource, exposeDetails: boolean): Verdict {
  const { readiness } = source;
  const verdict = verdictOn(readiness, readiness);
  if (!exposeDetails) return verdict;
  const details = [...source.checks].map(
    ([name, { status, detail }]) => [name, [verdictOn(status, detail)]] as const,
  );
  return { ...verdict, checks: Object.fromEntries(details) };
}

/** What passes needs no words: the draft leaves them out then. */
function verdictOn(status: InstanceStatus, output: string): Verdict {
  if (!takesRequests(status)) return { status: 'fail', output };
  return status === 'degraded' ? { status: 'warn', output } : { status: 'pass' };
}
