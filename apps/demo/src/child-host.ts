import { ChildRunner } from './child-runner.ts';
import type { Host, InstanceInit, Runner } from './runner.ts';
import type { Surroundings } from './shop.ts';
import type { StorePlace } from './stores.ts';

/** Runs each instance in a process of its own. */
export class ChildHost implements Host {
  readonly #place: StorePlace;
  readonly #surroundings: Surroundings;
  readonly #log: (message: string) => void;
  /** Forked, and without an instance yet. */
  readonly #spare: ChildRunner[] = [];

  /** @param log is told what the loggers in the processes are told */
  constructor(place: StorePlace, surroundings: Surroundings, log: (message: string) => void) {
    this.#place = place;
    this.#surroundings = surroundings;
    this.#log = log;
  }

  async prepare(count: number, options: { readonly signal: AbortSignal }): Promise<void> {
    this.#spare.push(...Array.from({ length: count }, () => this.#fork()));
    await Promise.all(this.#spare.map((runner) => runner.ready(options)));
  }

  async start(init: InstanceInit, options: { readonly signal: AbortSignal }): Promise<Runner> {
    const runner = this.#spare.shift() ?? this.#fork();
    await runner.start(init, options);
    return runner;
  }

  async close(): Promise<void> {
    await Promise.all(this.#spare.splice(0).map((runner) => runner.kill()));
  }

  #fork(): ChildRunner {
    return new ChildRunner(this.#place, this.#surroundings, this.#log);
  }
}
