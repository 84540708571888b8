import { setTimeout as sleep } from 'node:timers/promises';
import { recordRequests, type SentRequest } from './sent-requests.ts';
import { contestants, type Contestant, type ContestantName, type Target } from './contestants.ts';
import { cpuMs, now, serve } from '../../../tools/bench/program.ts';

// One contestant at work.

export interface Call {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  readonly tookMs: number;
  /** Why it failed; undefined if it did not. */
  readonly error: string | undefined;
}

export interface LoadReport {
  readonly calls: readonly Call[];
  readonly requests: readonly SentRequest[];
}

/** So many callers, each with its next call when the last has ended; or so many calls a second, whatever becomes of them. */
export type Load = { readonly callers: number } | { readonly perSecond: number };

/** Longer than any contestant holds on to a call. */
const drainMs = 20_000;

const calls: Call[] = [];
const underWay = new Map<Promise<void>, number>();
const requests = recordRequests();
let stopped = false;

const tasks = {
  async begin({ name, load, ...target }: Target & { readonly name: ContestantName; readonly load: Load }) {
    const contestant = await contestants[name](target);
    if ('callers' in load) for (let place = 0; place < load.callers; place += 1) void callOnAndOn(contestant);
    else void callAtRate(contestant, load.perSecond);
  },

  /** Begins no more calls and waits for those under way. */
  async finish(): Promise<LoadReport> {
    stopped = true;
    const drained = new AbortController();
    const late = sleep(drainMs, undefined, { signal: drained.signal }).catch(() => undefined);
    await Promise.race([Promise.all(underWay.keys()), late]);
    drained.abort();
    for (const at of underWay.values()) calls.push({ at, tookMs: now() - at, error: 'no end' });
    return { calls, requests };
  },

  cpuMs,
};

export type LoadTasks = typeof tasks;
serve(tasks);

async function callOnAndOn(contestant: Contestant): Promise<void> {
  while (!stopped) await call(contestant);
}

async function callAtRate(contestant: Contestant, perSecond: number): Promise<void> {
  const startedAt = now();
  for (let count = 0; !stopped;) {
    const due = ((now() - startedAt) * perSecond) / 1_000;
    // A process that got no CPU for a while leaves out what it has missed: all at once would be another load.
    count = Math.max(count, due - 0.1 * perSecond);
    for (; count < due; count += 1) void call(contestant);
    await sleep(2);
  }
}

async function call(contestant: Contestant): Promise<void> {
  const at = now();
  const ended = contestant.get('/items').then(
    () => undefined,
    (error: unknown) => codeOf(error),
  );
  const recorded = ended.then((error) => {
    underWay.delete(recorded);
    calls.push({ at, tookMs: now() - at, error });
  });
  underWay.set(recorded, at);
  await recorded;
}

/** The status if that is what was wrong, otherwise the code, otherwise the name. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { status, statusCode, response, code } = error as {
    status?: number;
    statusCode?: number;
    response?: { status?: number; statusCode?: number };
    code?: string | number;
  };
  const answered = status ?? statusCode ?? response?.status ?? response?.statusCode ?? 0;
  if (answered >= 400) return `HTTP ${answered}`;
  return typeof code === 'string' ? code : error.name; // the code of an AbortError is a number that says less
}
