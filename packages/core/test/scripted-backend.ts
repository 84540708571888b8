import type { Clock, DiscoveryBackend, ServiceInstance } from '../src/index.ts';

type Snapshot = readonly ServiceInstance[];

/** A backend that does what the test says, and notes what is asked of it. */
export class ScriptedBackend implements DiscoveryBackend {
  readonly name = 'scripted';
  readonly malformed = { count: 0, recent: [] };
  /** Every watch so far, the newest last. */
  readonly watches: ScriptedWatch[] = [];
  /** Every `getInstances()` so far, the newest last. */
  readonly lookups: ScriptedLookup[] = [];
  /** What a new watch does by itself; it may throw. */
  onWatch: (watch: ScriptedWatch) => void = () => undefined;
  /** What a new `getInstances()` does by itself; it may throw. */
  onLookup: (lookup: ScriptedLookup) => void = () => undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The newest watch. */
  get current(): ScriptedWatch {
    return this.watches.at(-1) ?? unasked('watch()');
  }

  /** The newest `getInstances()`. */
  get lookup(): ScriptedLookup {
    return this.lookups.at(-1) ?? unasked('getInstances()');
  }

  watch(service: string, { signal }: { readonly signal: AbortSignal }): AsyncIterable<Snapshot> {
    const watch = new ScriptedWatch(service, signal, this.#clock.monotonic());
    this.watches.push(watch);
    this.onWatch(watch);
    return watch;
  }

  getInstances(
    service: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Snapshot> {
    const lookup = new ScriptedLookup(service, signal);
    this.lookups.push(lookup);
    this.onLookup(lookup);
    return lookup.answer;
  }

  listServices(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

type Step =
  | { readonly kind: 'yield'; readonly snapshot: Snapshot }
  | { readonly kind: 'fail'; readonly error: unknown }
  | { readonly kind: 'end' };

export class ScriptedWatch implements AsyncIterable<Snapshot> {
  readonly service: string;
  readonly signal: AbortSignal;
  /** When it was asked for, on the monotonic clock. */
  readonly startedAt: number;
  /** Whether somebody reads it, and whether it got to the end of its `finally`. */
  state: 'new' | 'read' | 'cleaned up' = 'new';
  /** Whether it takes no notice of its signal. */
  deaf = false;
  /** What its clean-up throws. */
  cleanUpError: Error | undefined;
  readonly #steps: Step[] = [];
  #wake: () => void = () => undefined;

  constructor(service: string, signal: AbortSignal, startedAt: number) {
    this.service = service;
    this.signal = signal;
    this.startedAt = startedAt;
    signal.addEventListener('abort', () => !this.deaf && this.end(), { once: true });
  }

  yield(...snapshot: ServiceInstance[]): void {
    this.yieldAnything(snapshot);
  }

  /** What a backend with a mistake in it might yield. */
  yieldAnything(snapshot: unknown): void {
    this.#steps.push({ kind: 'yield', snapshot: snapshot as Snapshot });
    this.#wake();
  }

  fail(error: unknown): void {
    this.#steps.push({ kind: 'fail', error });
    this.#wake();
  }

  end(): void {
    this.#steps.push({ kind: 'end' });
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Snapshot, void, undefined> {
    this.state = 'read';
    try {
      for (;;) {
        const step = this.#steps.shift();
        if (step === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
        else if (step.kind === 'yield') yield step.snapshot;
        else if (step.kind === 'end') return;
        else throw step.error;
      }
    } finally {
      this.state = 'cleaned up';
      // eslint-disable-next-line no-unsafe-finally -- a backend that does so is what is tested
      if (this.cleanUpError !== undefined) throw this.cleanUpError;
    }
  }
}

export class ScriptedLookup {
  readonly service: string;
  readonly signal: AbortSignal | undefined;
  readonly answer: Promise<Snapshot>;
  give!: (snapshot: Snapshot) => void;
  fail!: (error: unknown) => void;

  constructor(service: string, signal: AbortSignal | undefined) {
    this.service = service;
    this.signal = signal;
    this.answer = new Promise((resolve, reject) => {
      this.give = resolve;
      this.fail = reject;
    });
  }
}

function unasked(what: string): never {
  throw new Error(`${what} was not called yet`);
}
