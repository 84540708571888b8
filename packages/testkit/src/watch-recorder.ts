import type { DiscoveryBackend, ServiceInstance } from '@sd/core';
import { eventually } from './eventually.ts';
import { realTime, type TestTime } from './test-time.ts';

export interface RecordedSnapshot {
  readonly instances: readonly ServiceInstance[];
  /** When it came, in milliseconds of the recorder's time. */
  readonly atMs: number;
}

/** Watches a service and keeps all that it is told. */
export class WatchRecorder {
  readonly backend: DiscoveryBackend;
  readonly #service: string;
  readonly #time: TestTime;
  readonly #stop = new AbortController();
  readonly #snapshots: RecordedSnapshot[] = [];
  readonly #ended: Promise<void>;
  #end: { readonly error?: unknown } | undefined;

  /** @param time of the stamps and of the waiting. Default: real time */
  constructor(backend: DiscoveryBackend, service: string, time: TestTime = realTime()) {
    this.backend = backend;
    this.#service = service;
    this.#time = time;
    this.#ended = this.#record();
  }

  get snapshots(): readonly RecordedSnapshot[] {
    return this.#snapshots;
  }

  /** The instances of the newest snapshot; undefined before the first. */
  get latest(): readonly ServiceInstance[] | undefined {
    return this.#snapshots.at(-1)?.instances;
  }

  /** How the watch ended: `{}` when it was done, with `error` when it threw; undefined while it goes on. */
  get end(): { readonly error?: unknown } | undefined {
    return this.#end;
  }

  /**
   * The first snapshot from number `from` on that `predicate` accepts, now or within `timeoutMs`.
   * @param from Default: 0, all that was ever recorded
   */
  next(
    predicate: (instances: readonly ServiceInstance[]) => boolean,
    { timeoutMs, from = 0 }: { readonly timeoutMs: number; readonly from?: number | undefined },
  ): Promise<RecordedSnapshot> {
    return eventually(
      () => {
        const found = this.#snapshots.slice(from).find(({ instances }) => predicate(instances));
        if (found === undefined) throw new Error(this.#describe(), { cause: this.#end?.error });
        return found;
      },
      { timeoutMs, time: this.#time },
    );
  }

  /** Aborts the signal of the watch. */
  stop(): void {
    this.#stop.abort();
  }

  /** Aborts the watch and waits for its end. */
  async close(): Promise<void> {
    this.stop();
    await this.#ended;
  }

  async #record(): Promise<void> {
    try {
      for await (const instances of this.backend.watch(this.#service, { signal: this.#stop.signal })) {
        this.#snapshots.push({ instances, atMs: this.#time.monotonic() });
      }
      this.#end = {};
    } catch (error) {
      this.#end = { error };
    }
  }

  #describe(): string {
    const ids = this.latest?.map(({ id }) => id).join(', ');
    const ending = this.#end === undefined ? '' : ', and it has ended';
    return `the watch of "${this.#service}" had ${this.#snapshots.length} snapshots, the last [${ids ?? ''}]${ending}`;
  }
}
