import { resetLogger, setLogger } from '@sd/core';
import { setTimeout as wait } from 'node:timers/promises';
import { Calls } from './calls.ts';
import type { Display } from './display.ts';
import { gatherFacts, type Facts } from './facts.ts';
import { Fleet } from './fleet.ts';
import { driveLoad, type DrivenLoad } from './load.ts';
import { Observer } from './observer.ts';
import type { DemoOptions } from './options.ts';
import { runScript, type ScriptReport } from './script.ts';
import type { ShopEvent } from './shop-state.ts';

/** One run of the demo: opens the shop, lets customers buy while the script goes on, closes it. */
export class Run {
  readonly events: ShopEvent[] = [];
  readonly calls = new Calls();
  readonly fleet: Fleet;
  readonly #options: DemoOptions;
  readonly #display: Display;
  readonly #durationMs: number;
  readonly #ttlMs: number;
  readonly #report: ScriptReport = { departures: [], rollout: undefined };
  #startedAt = performance.now();

  constructor(options: DemoOptions, display: Display) {
    this.#options = options;
    this.#display = display;
    this.#durationMs = options.seconds * 1_000;
    this.#ttlMs = Math.min(3_000, this.#durationMs * 0.2);
    this.fleet = new Fleet({
      strategy: options.strategy,
      ttlMs: this.#ttlMs,
      propagationMs: Math.min(1_000, this.#durationMs * 0.02),
      onAnswer: (service, answer) => this.calls.retried(service, answer),
    });
  }

  /** @param signal ends it early, in order */
  async play(signal: AbortSignal): Promise<Facts> {
    const { fleet, calls } = this;
    setLogger({ debug: silent, info: silent, warn: this.#tell, error: this.#tell });
    try {
      await Promise.all([
        fleet.start('checkout', '1.0.0', 2),
        fleet.start('orders', '1.0.0', 3),
        fleet.start('payments', '1.0.0', 3),
      ]);
      const load = await this.#underLoad(() => this.#playScript(signal));
      return gatherFacts({ rate: this.#options.rate, load, calls, fleet, report: this.#report });
    } finally {
      await fleet.close();
      resetLogger();
    }
  }

  async #underLoad(happen: () => Promise<void>): Promise<DrivenLoad> {
    const { fleet, calls } = this;
    const over = new AbortController();
    this.#startedAt = performance.now();
    this.#tell('8 instances have started, customers begin to buy');
    const [load] = await Promise.all([
      driveLoad({ discovery: fleet.discovery, rate: this.#options.rate, calls, signal: over.signal }),
      this.#show(over.signal),
      happen().finally(() => over.abort()),
    ]);
    return load;
  }

  async #playScript(signal: AbortSignal): Promise<void> {
    const durationMs = this.#durationMs;
    try {
      await runScript(
        {
          fleet: this.fleet,
          durationMs,
          ttlMs: this.#ttlMs,
          signal,
          elapsedMs: this.#elapsedMs,
          tell: this.#tell,
        },
        this.#report,
      );
      // What came of the last act is to be seen under load, also where everything took longer.
      await wait(Math.max(durationMs - this.#elapsedMs(), durationMs * 0.05), undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#tell('interrupted: customers stop, the shop closes');
    }
  }

  async #show(over: AbortSignal): Promise<void> {
    const { fleet, calls } = this;
    const { strategy, rate } = this.#options;
    const observer = new Observer(fleet, calls);
    while (!over.aborted) {
      const seen = await observer.look();
      const elapsedMs = this.#elapsedMs();
      this.#display.show({
        ...seen,
        strategy,
        rate,
        elapsedMs,
        durationMs: this.#durationMs,
        events: this.events,
      });
      await wait(200, undefined, { signal: over }).catch(() => undefined);
    }
  }

  readonly #tell = (text: string): void => {
    const event = { atMs: this.#elapsedMs(), text };
    this.events.push(event);
    this.#display.tell(event);
  };

  readonly #elapsedMs = (): number => performance.now() - this.#startedAt;
}

const silent = (): void => undefined;
