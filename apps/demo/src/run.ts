import { onAbort, resetLogger, setLogger, type RegistryBackend } from '@sd/core';
import { setTimeout as wait } from 'node:timers/promises';
import { Calls } from './calls.ts';
import { ChildHost } from './child-host.ts';
import { Chorus } from './chorus.ts';
import type { Display } from './display.ts';
import { gatherFacts, type Facts } from './facts.ts';
import { Fleet } from './fleet.ts';
import { Ledger } from './ledger.ts';
import { driveLoad, noLoad, type DrivenLoad } from './load.ts';
import { LocalHost } from './local-host.ts';
import { Observer } from './observer.ts';
import type { DemoOptions } from './options.ts';
import { Outages } from './outages.ts';
import { paceOf, type Pace } from './pace.ts';
import { castSize, runScript, type ScriptReport } from './script.ts';
import type { ShopEvent } from './shop-state.ts';
import type { Surroundings } from './shop.ts';
import type { Store } from './stores.ts';

export interface RunInit {
  readonly options: DemoOptions;
  readonly display: Display;
  /** Where the instances meet. */
  readonly store: Store;
  /** The customers' client of the store. Whoever made it closes it. */
  readonly backend: RegistryBackend;
}

/** How much longer than planned a run may take, in milliseconds: without a store the script does not get on. */
const patienceMs = 60_000;

/** One run of the demo: opens the shop, lets customers buy while the script goes on, closes it. */
export class Run {
  readonly events: ShopEvent[] = [];
  readonly calls = new Calls();
  readonly ledger = new Ledger();
  readonly outages = new Outages();
  readonly #options: DemoOptions;
  readonly #display: Display;
  readonly #separate: boolean;
  readonly #pace: Pace;
  readonly #fleet: Fleet;
  readonly #observer: Observer;
  readonly #chorus = new Chorus((text) => this.#tell(text));
  readonly #report: ScriptReport = { departures: [], rollout: undefined };
  #startedAt = performance.now();

  constructor({ options, display, store, backend }: RunInit) {
    this.#options = options;
    this.#display = display;
    this.#pace = paceOf(options.seconds * 1_000);
    const surroundings: Surroundings = {
      ledger: this.ledger,
      onAnswer: (service, answer) => this.calls.retried(service, answer),
    };
    this.#separate = store.reach === 'network';
    this.#fleet = new Fleet({
      backend,
      host: this.#separate
        ? new ChildHost(store.place, surroundings, this.#log)
        : new LocalHost(store, surroundings),
      strategy: options.strategy,
      pace: this.#pace,
      onDeath: ({ id, died }) => this.#tell(`${id} ${String(died.reason)}, and the script had no part in it`),
    });
    this.#observer = new Observer(this.#fleet, this.calls);
  }

  /** @param signal ends it early, in order */
  async play(signal: AbortSignal): Promise<Facts> {
    setLogger({ debug: () => undefined, info: this.#log, warn: this.#log, error: this.#log });
    try {
      await this.#open(signal);
      const load = signal.aborted ? noLoad : await this.#underLoad(() => this.#playScript(signal));
      return await gatherFacts({
        rate: this.#options.rate,
        load,
        calls: this.calls,
        fleet: this.#fleet,
        ledger: this.ledger,
        report: this.#report,
      });
    } finally {
      await this.#fleet.close();
      this.#chorus.flush();
      resetLogger();
    }
  }

  async #open(signal: AbortSignal): Promise<void> {
    const fleet = this.#fleet;
    try {
      await fleet.open({ signal });
      if (this.#separate) this.#tell(`${castSize} processes are starting, one for each instance to come`);
      await this.#show();
      await fleet.prepare(castSize, { signal });
      await Promise.all([
        fleet.start('checkout', '1.0.0', 2, { signal }),
        fleet.start('orders', '1.0.0', 3, { signal }),
        fleet.start('payments', '1.0.0', 3, { signal }),
      ]);
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#tell('interrupted: the shop does not open');
    }
  }

  async #underLoad(happen: () => Promise<void>): Promise<DrivenLoad> {
    const { discovery } = this.#fleet;
    const over = new AbortController();
    this.#startedAt = performance.now();
    this.#tell('8 instances have started, customers begin to buy');
    const [load] = await Promise.all([
      driveLoad({ discovery, rate: this.#options.rate, calls: this.calls, signal: over.signal }),
      this.#keepShowing(over.signal),
      this.outages.watch(discovery, over),
      happen().finally(() => over.abort()),
    ]);
    return load;
  }

  async #playScript(interrupted: AbortSignal): Promise<void> {
    const { durationMs } = this.#pace;
    const over = new AbortController();
    const { signal } = over;
    const forget = onAbort(interrupted, () => over.abort());
    const timer = setTimeout(() => over.abort(), durationMs + patienceMs);
    if (interrupted.aborted) over.abort();
    try {
      await runScript(
        {
          fleet: this.#fleet,
          ledger: this.ledger,
          pace: this.#pace,
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
      this.#tell(
        interrupted.aborted
          ? 'interrupted: customers stop, the shop closes'
          : 'this takes too long: customers stop, the shop closes',
      );
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  async #keepShowing(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#show();
      await wait(200, undefined, { signal: over }).catch(() => undefined);
    }
  }

  async #show(): Promise<void> {
    const { strategy, rate } = this.#options;
    const { durationMs } = this.#pace;
    const seen = await this.#observer.look();
    const elapsedMs = this.#elapsedMs();
    this.#display.show({ ...seen, strategy, rate, elapsedMs, durationMs, events: this.events });
  }

  readonly #tell = (text: string): void => {
    const event = { atMs: this.#elapsedMs(), text };
    this.events.push(event);
    this.#display.tell(event);
  };

  readonly #log = (message: string): void => this.#chorus.say(message);

  readonly #elapsedMs = (): number => performance.now() - this.#startedAt;
}
