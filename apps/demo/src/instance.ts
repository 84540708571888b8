import { onAbort } from '@sd/core';
import type { InstanceInit, Runner } from './runner.ts';
import type { ServiceName } from './shop.ts';
import type { TrafficReading } from './traffic.ts';
import type { Disappearance, DisappearanceOptions, Named } from './views.ts';

/** What became of an instance. */
export type Fate = 'running' | 'slowed' | 'killed' | 'draining' | 'drained';

/** One running copy of a service, and what the script did to it. */
export class Instance {
  readonly service: ServiceName;
  readonly id: string;
  readonly version: string;
  readonly startedAt = performance.now();
  readonly #runner: Runner;
  #fate: Fate = 'running';
  #leftAt: number | undefined;

  constructor({ service, id, version }: InstanceInit, runner: Runner) {
    this.service = service;
    this.id = id;
    this.version = version;
    this.#runner = runner;
    onAbort(runner.died, () => this.#leave('killed'));
  }

  get fate(): Fate {
    return this.#fate;
  }

  /** When it died or began to drain, on the clock of `performance`. */
  get leftAt(): number | undefined {
    return this.#leftAt;
  }

  /** Aborts, with what is known of it, when it died and nobody had killed it. */
  get died(): AbortSignal {
    return this.#runner.died;
  }

  get traffic(): TrafficReading {
    return this.#runner.traffic;
  }

  /** Resolves when it has something to do, or after half a second without. */
  busy(): Promise<void> {
    return this.#runner.busy();
  }

  /** Watches how its view loses another instance. */
  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance> {
    return this.#runner.disappearance(gone, options);
  }

  /** Versions of the instances of another service that its view has now. */
  versionsOf(service: ServiceName): Promise<readonly string[]> {
    return this.#runner.versionsOf(service);
  }

  /** From now on each answer takes that much longer, in milliseconds. */
  async slowDown(extraMs: number): Promise<void> {
    this.#fate = extraMs > 0 ? 'slowed' : 'running';
    await this.#runner.slowDown(extraMs);
  }

  /** Connections break, nobody says goodbye, and nobody renews the lease any more. */
  async kill(): Promise<void> {
    this.#leave('killed');
    await this.#runner.kill();
  }

  /** Leaves in order, without failing a request. */
  async drain(): Promise<void> {
    this.#leave('draining');
    await this.#runner.drain();
    this.#fate = 'drained';
  }

  /** Leaves at once, when nobody calls any more. Idempotent. */
  async stop(): Promise<void> {
    if (this.#fate !== 'killed' && this.#fate !== 'drained') await this.#runner.close();
  }

  #leave(fate: Fate): void {
    this.#leftAt ??= performance.now();
    this.#fate = fate;
  }
}
