import type { Happening, HistoryEvent, Method } from '../history.ts';
import { pace } from '../pace.ts';

/** When what happens in a history that is made up, in milliseconds. */
export const times = {
  listening: 100,
  published: 150,
  begun: 1_000,
  calm: 30_000,
  over: 40_000,
  end: 41_000,
};

export const portOf = { 'provider-1.1': 1_001, 'provider-2.1': 1_002, 'provider-3.1': 1_003 } as const;
type ProviderName = keyof typeof portOf;
const providers = Object.keys(portOf) as readonly ProviderName[]; // they are its keys
const consumers = ['consumer-1.1', 'consumer-2.1'] as const;
export const allPorts: readonly number[] = Object.values(portOf);

/** A run in which nothing goes wrong, and what a test changes about it. */
export class MadeHistory {
  #events: readonly HistoryEvent[];

  constructor() {
    this.#events = [
      ...providers.flatMap(lifeOf),
      ...consumers.flatMap((who) => consumerLife(who)),
      at(times.begun, 'harness', { kind: 'begun' }),
      at(times.calm, 'harness', { kind: 'calm' }),
      at(times.over, 'harness', { kind: 'over' }),
      at(times.over + 10, 'harness', { kind: 'listed', when: 'calm', ports: allPorts }),
      at(times.end + 10, 'harness', { kind: 'listed', when: 'ended', ports: [] }),
    ];
  }

  get events(): readonly HistoryEvent[] {
    return [...this.#events].sort((one, other) => one.t - other.t);
  }

  plus(t: number, who: string, ...happenings: readonly Happening[]): this {
    this.#events = [...this.#events, ...happenings.map((happening) => at(t, who, happening))];
    return this;
  }

  without(isLeftOut: (event: HistoryEvent) => boolean): this {
    this.#events = this.#events.filter((event) => !isLeftOut(event));
    return this;
  }

  fault(
    fault: Extract<Happening, { readonly kind: 'fault' }>['fault'],
    target: string | readonly string[],
    from: number,
    to: number,
  ): this {
    const targets = [target].flat();
    const event = { kind: 'fault', number: from, fault, targets, text: fault } as const;
    return this.plus(from, 'harness', { ...event, phase: 'begins' }).plus(to, 'harness', {
      ...event,
      phase: 'ends',
    });
  }

  /** The view of a consumer from then on; live, and all of it takes requests, unless it is said. */
  view(t: number, who: string, ports: readonly number[], state = 'live'): this {
    return this.plus(t, who, { kind: 'view', state, held: 0, ports, serving: ports });
  }

  /** A call of the first consumer, to these ports one a millisecond. */
  call(from: number, made: MadeCall): this {
    const call = 100_000 + from;
    const { method = 'GET', attempts, cancelled, answered, failed } = made;
    const who = 'consumer-1.1';
    this.plus(from, who, { kind: 'call', call, method });
    for (const [index, port] of attempts.entries())
      this.plus(from + index, who, { kind: 'attempt', call, port, as: index === 0 ? 'first' : 'retry' });
    if (cancelled !== undefined) this.plus(cancelled, who, { kind: 'cancelled', call });
    if (answered !== undefined)
      this.plus(answered, who, { kind: 'answered', call, port: attempts.at(-1) ?? 0 });
    const code = cancelled === undefined ? 'ERR_SD_CONNECTION' : undefined;
    if (failed !== undefined) this.plus(failed, who, { kind: 'failed', call, code, text: 'it failed' });
    return this;
  }

  failedCall(
    from: number,
    to: number,
    code: string | undefined = 'ERR_SD_CONNECTION',
    who = 'consumer-1.1',
  ): this {
    const call = 100_000 + from;
    this.plus(from, who, { kind: 'call', call, method: 'GET' });
    return this.plus(to, who, { kind: 'failed', call, code, text: 'it failed' });
  }

  /** One that both consumers report. */
  badEntry(from: number, to: number): this {
    for (const who of consumers)
      this.plus(from + 200, who, { kind: 'malformed', count: 1, problem: 'it is not JSON' });
    return this.fault('bad-entry', 'store', from, to);
  }

  /** A consumer that is killed, and followed by another after so long. */
  killedConsumer(place: number, t: number, backAfterMs: number): this {
    const who = `consumer-${place}.1`;
    this.without((event) => event.who === who && event.t > t);
    this.fault('kill-consumer', who, t, t + backAfterMs);
    this.plus(t + 5, who, { kind: 'exited', code: null, signal: 'SIGKILL', killed: true });
    this.#events = [...this.#events, ...consumerLife(`consumer-${place}.2`, t + backAfterMs)];
    return this;
  }

  /** A provider that is killed, and not followed by another. Views lose it after so long. */
  killed(who: ProviderName, t: number, lostAfterMs: number): this {
    this.without((event) => event.who === who && event.t > t).fault('kill-provider', who, t, t + 10);
    this.plus(t + 5, who, { kind: 'exited', code: null, signal: 'SIGKILL', killed: true });
    this.without(({ kind, t: when }) => kind === 'listed' && when < times.end);
    const left = allPorts.filter((port) => port !== portOf[who]);
    this.plus(times.over + 10, 'harness', { kind: 'listed', when: 'calm', ports: left });
    for (const consumer of consumers) this.view(t + lostAfterMs, consumer, left);
    return this;
  }
}

/** When what became of it. */
interface MadeCall {
  readonly method?: Method;
  readonly attempts: readonly number[];
  readonly cancelled?: number;
  readonly answered?: number;
  readonly failed?: number;
}

/** What a consumer does from its start until it is told to end. */
function consumerLife(who: string, from = 0): readonly HistoryEvent[] {
  const count = Math.floor((times.over - from - 300) / pace.callEveryMs);
  const calls = Array.from({ length: count }, (_, index) => {
    const t = from + 300 + index * pace.callEveryMs;
    const call = index + 1;
    const port = allPorts[index % allPorts.length] ?? 0;
    return [
      at(t, who, { kind: 'call', call, method: 'GET' }),
      at(t, who, { kind: 'attempt', call, port, as: 'first' }),
      at(t + 5, who, { kind: 'answered', call, port }),
    ];
  });
  return [
    at(from, who, { kind: 'spawned', role: 'consumer' }),
    at(from + 200, who, { kind: 'view', state: 'live', held: 0, ports: allPorts, serving: allPorts }),
    ...calls.flat(),
    at(times.over + 20, who, { kind: 'told', to: 'end' }),
    at(times.over + 100, who, { kind: 'exited', code: 0, signal: null, killed: false }),
  ];
}

function at(t: number, who: string, happening: Happening): HistoryEvent {
  return { t, who, ...happening };
}

function lifeOf(who: ProviderName): readonly HistoryEvent[] {
  return [
    at(0, who, { kind: 'spawned', role: 'provider' }),
    at(times.listening, who, { kind: 'listening', port: portOf[who] }),
    at(times.published, who, { kind: 'state', value: 'published' }),
    at(times.over + 20, who, { kind: 'told', to: 'end' }),
    at(times.over + 540, who, { kind: 'drained' }),
    at(times.over + 600, who, { kind: 'exited', code: 0, signal: null, killed: false }),
  ];
}
