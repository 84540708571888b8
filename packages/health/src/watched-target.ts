import type { Clock, DiscoveryLogger } from '@sd/core';
import { keyOf } from './check-target.ts';
import type { CheckResult, CheckTarget } from './health-check.ts';
import type { HealthChecker, HealthReport } from './health-checker.ts';
import { Verdict, type Thresholds } from './verdict.ts';

/** What is known of a target that is watched. */
export interface TargetHealth {
  /** `unknown` before the first look. */
  readonly status: 'unknown' | CheckResult['status'];
  /** When it became that, milliseconds since the epoch. */
  readonly since: number;
  /** The last one. */
  readonly report: HealthReport | undefined;
  /** The last ones, oldest first. */
  readonly history: readonly HealthReport[];
}

export type HealthListener = (health: TargetHealth) => void;

export interface WatchSettings extends Thresholds {
  readonly checker: HealthChecker;
  readonly retries: number;
  readonly history: number;
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
}

/** One target, what its looks amount to, and who wants to know. */
export class WatchedTarget {
  readonly #target: Required<CheckTarget>;
  readonly #settings: WatchSettings;
  readonly #verdict: Verdict;
  readonly #stop = new AbortController();
  readonly #watchers = new Set<{ readonly listener: HealthListener }>();
  #history: readonly HealthReport[] = [];
  #since: number;

  constructor(target: Required<CheckTarget>, settings: WatchSettings) {
    this.#target = target;
    this.#settings = settings;
    this.#verdict = new Verdict(settings);
    this.#since = settings.clock.now();
  }

  get health(): TargetHealth {
    const history = this.#history;
    return { status: this.#verdict.status, since: this.#since, report: history.at(-1), history };
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** The listener hears at once what is known already. @returns ends it */
  add(listener: HealthListener): () => void {
    const watcher = { listener };
    this.#watchers.add(watcher);
    if (this.#verdict.status !== 'unknown') this.#tell(listener);
    return () => void this.#watchers.delete(watcher);
  }

  /** One round: a look, and more of them at once while it is unhealthy and retries are left. */
  async look(): Promise<void> {
    const { checker, retries, history, clock } = this.#settings;
    const { signal } = this.#stop;
    let report: HealthReport | undefined;
    try {
      for (let left = retries; left >= 0; left -= 1) {
        report = await checker.check(this.#target, { signal });
        if (report.status !== 'unhealthy') break;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (report === undefined || signal.aborted) return;
    const before = this.#verdict.status;
    this.#verdict.add(report.status);
    this.#history = Object.freeze([...this.#history, report].slice(-history));
    if (this.#verdict.status === before) return;
    this.#since = clock.now();
    for (const watcher of [...this.#watchers]) {
      // One that was called before may have stopped others.
      if (this.#watchers.has(watcher)) this.#tell(watcher.listener);
    }
  }

  /** Stops a look under way; nobody hears anything any more. */
  close(): void {
    this.#watchers.clear();
    this.#stop.abort(over);
  }

  #tell(listener: HealthListener): void {
    try {
      listener(this.health);
    } catch (error) {
      this.#settings.logger.error(`A listener to the health of ${keyOf(this.#target)} failed`, { error });
    }
  }
}

/** Made once: an error costs more than the rest of stopping. */
const over = new Error('the target is no longer watched');
