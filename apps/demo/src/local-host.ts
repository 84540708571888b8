import { LocalRunner } from './local-runner.ts';
import type { Host, InstanceInit, Runner } from './runner.ts';
import type { Surroundings } from './shop.ts';
import type { Store } from './stores.ts';

/** Runs all instances in this process, each as if it were alone in it. */
export class LocalHost implements Host {
  readonly #store: Store;
  readonly #surroundings: Surroundings;

  constructor(store: Store, surroundings: Surroundings) {
    this.#store = store;
    this.#surroundings = surroundings;
  }

  async prepare(): Promise<void> {
    return;
  }

  async start(init: InstanceInit, options: { readonly signal: AbortSignal }): Promise<Runner> {
    const runner = new LocalRunner(init, await this.#store.connect(), this.#surroundings);
    await runner.start(options);
    return runner;
  }

  async close(): Promise<void> {
    return;
  }
}
