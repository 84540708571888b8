import { abortable } from './abortable.ts';
import { Backoff } from './backoff.ts';
import type { DiscoveryBackend } from './backend.ts';
import { sleep, systemClock, type Clock, type Timer } from './clock.ts';
import { BackendUnavailableError, ClosedError } from './errors.ts';
import { globalLogger, type DiscoveryLogger } from './logger.ts';
import { systemRng, type Rng } from './rng.ts';
import { sameInstance, type ServiceInstance } from './service-instance.ts';
import type { ServiceView } from './service-view.ts';
import { ShrinkGuard, type ShrinkGuardOptions } from './shrink-guard.ts';

export interface FollowOptions {
  /** Called with each new view, never with one that says the same as the last. */
  readonly onChange?: ((view: ServiceView) => void) | undefined;
  /** Changes that arrive within this time of the last are applied together, in milliseconds. Default: 20. */
  readonly coalesceMs?: number | undefined;
  /** A watch that has not yielded its first snapshot by then counts as failed, in milliseconds. Default: 10,000. */
  readonly firstSnapshotTimeoutMs?: number | undefined;
  /** First and longest pause between attempts to watch, in milliseconds. Default: 100 and 15,000. */
  readonly reconnect?:
    { readonly baseMs?: number | undefined; readonly capMs?: number | undefined } | undefined;
  readonly shrinkGuard?: ShrinkGuardOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

/** A service being followed. */
export interface Following {
  readonly view: ServiceView;
  /**
   * Resolves with the first view that has been in sync with the store.
   * @throws the signal's reason, or {@link ClosedError}
   */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<ServiceView>;
  /** Stops watching. Idempotent. */
  close(): void;
}

/**
 * Supervises the watch of one service, for as long as it is not closed: reconnects with full jitter, keeps the last
 * good snapshot and marks it stale, holds what a troubled store suddenly forgets, and folds bursts into one change.
 */
export function follow(backend: DiscoveryBackend, service: string, options: FollowOptions = {}): Following {
  return new Follower(backend, service, options);
}

/** A watch that lived this long was a success: the next failure starts with the shortest pause again. */
const settledAfterMs = 10_000;

class Follower implements Following {
  readonly #backend: DiscoveryBackend;
  readonly #service: string;
  readonly #onChange: (view: ServiceView) => void;
  readonly #coalesceMs: number;
  readonly #firstSnapshotTimeoutMs: number;
  readonly #guard: ShrinkGuard;
  readonly #backoff: Backoff;
  readonly #clock: Clock;
  readonly #logger: DiscoveryLogger;
  readonly #closed = new AbortController();
  readonly #firstView: Promise<ServiceView>;
  #resolveFirstView!: (view: ServiceView) => void; // set by the promise's constructor, which runs at once
  #rejectFirstView!: (error: unknown) => void; // the same
  #view: ServiceView;
  #pending: readonly ServiceInstance[] | undefined;
  #appliedAt = -Infinity;
  #applyTimer: Timer | undefined;
  #verifyTimer: Timer | undefined;

  constructor(backend: DiscoveryBackend, service: string, options: FollowOptions) {
    const { clock = systemClock, rng = systemRng, reconnect } = options;
    this.#backend = backend;
    this.#service = service;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#coalesceMs = options.coalesceMs ?? 20;
    this.#firstSnapshotTimeoutMs = options.firstSnapshotTimeoutMs ?? 10_000;
    this.#guard = new ShrinkGuard(options.shrinkGuard);
    this.#backoff = new Backoff({ baseMs: reconnect?.baseMs ?? 100, capMs: reconnect?.capMs ?? 15_000, rng });
    this.#clock = clock;
    this.#logger = options.logger ?? globalLogger;
    this.#view = {
      service,
      state: 'connecting',
      since: clock.now(),
      instances: [],
      held: 0,
      error: undefined,
    };
    this.#firstView = new Promise((resolve, reject) => {
      this.#resolveFirstView = resolve;
      this.#rejectFirstView = reject;
    });
    this.#firstView.catch(() => undefined); // nobody has to wait for the first view
    void this.#run();
  }

  get view(): ServiceView {
    return this.#view;
  }

  ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ServiceView> {
    return abortable(this.#firstView, signal);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    const closed = new ClosedError(`The view of service "${this.#service}"`, { service: this.#service });
    this.#closed.abort(closed);
    this.#rejectFirstView(closed);
    this.#applyTimer?.cancel();
    this.#verifyTimer?.cancel();
  }

  async #run(): Promise<void> {
    for (;;) {
      const startedAt = this.#clock.monotonic();
      const error = await this.#watchUntilItFails();
      if (this.#closed.signal.aborted) return;
      this.#lost(error);
      if (this.#clock.monotonic() - startedAt >= settledAfterMs) this.#backoff.reset();
      try {
        await sleep(this.#clock, this.#backoff.next(), { signal: this.#closed.signal });
      } catch {
        return; // closed
      }
    }
  }

  async #watchUntilItFails(): Promise<unknown> {
    const watch = new AbortController();
    const stop = (): void => watch.abort(this.#closed.signal.reason);
    this.#closed.signal.addEventListener('abort', stop, { once: true });
    const tooLate = this.#clock.setTimer(
      () =>
        watch.abort(
          this.#unavailable(`no snapshot of "${this.#service}" within ${this.#firstSnapshotTimeoutMs} ms`),
        ),
      this.#firstSnapshotTimeoutMs,
    );
    try {
      const snapshots = this.#backend.watch(this.#service, { signal: watch.signal })[Symbol.asyncIterator]();
      for (;;) {
        const next = await abortable(snapshots.next(), watch.signal);
        if (next.done === true)
          return watch.signal.reason ?? this.#unavailable(`the watch of "${this.#service}" ended`);
        tooLate.cancel();
        this.#received(next.value);
      }
    } catch (error) {
      return error;
    } finally {
      tooLate.cancel();
      watch.abort();
      this.#closed.signal.removeEventListener('abort', stop);
    }
  }

  #unavailable(problem: string): BackendUnavailableError {
    return new BackendUnavailableError(this.#backend.name, problem, { service: this.#service });
  }

  #lost(error: unknown): void {
    this.#applyPending();
    this.#verifyTimer?.cancel();
    const { state } = this.#view;
    if (state === 'live') {
      this.#logger.warn(`Lost the store of service "${this.#service}"; serving the last good snapshot`, {
        error,
      });
    } else if (this.#view.error === undefined) {
      this.#logger.warn(`Cannot watch service "${this.#service}" yet; trying again`, { error });
    }
    this.#publish({
      ...this.#view,
      ...(state === 'live' ? { state: 'stale', since: this.#clock.now() } : {}),
      error,
    });
  }

  #received(snapshot: readonly ServiceInstance[]): void {
    if (this.#view.state !== 'live') {
      if (this.#view.state === 'stale') this.#guard.troubled(this.#clock.monotonic());
      return this.#apply(snapshot);
    }
    this.#pending = snapshot;
    const wait = this.#appliedAt + this.#coalesceMs - this.#clock.monotonic();
    if (wait <= 0) this.#applyPending();
    else this.#applyTimer ??= this.#clock.setTimer(() => this.#applyPending(), wait);
  }

  #applyPending(): void {
    this.#applyTimer?.cancel();
    this.#applyTimer = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#apply(pending);
  }

  #apply(snapshot: readonly ServiceInstance[]): void {
    const known = new Map(this.#view.instances.map((instance) => [instance.id, instance]));
    const next = new Map<string, ServiceInstance>();
    for (const instance of snapshot) {
      const before = known.get(instance.id);
      next.set(instance.id, before !== undefined && sameInstance(before, instance) ? before : instance);
    }
    const held = this.#guard.held(this.#view.instances, next, this.#clock.monotonic());
    this.#appliedAt = this.#clock.monotonic();
    this.#verifyTimer?.cancel();
    if (held.length > 0) this.#doubt(held.length);
    const instances = [...next.values(), ...held].sort((left, right) => (left.id < right.id ? -1 : 1));
    const wasLive = this.#view.state === 'live';
    if (!wasLive && this.#view.error !== undefined)
      this.#logger.info(`Service "${this.#service}" is in sync again`);
    this.#publish({
      service: this.#service,
      state: 'live',
      since: wasLive ? this.#view.since : this.#clock.now(),
      instances: sameList(instances, this.#view.instances) ? this.#view.instances : instances,
      held: held.length,
      error: undefined,
    });
    this.#resolveFirstView(this.#view);
  }

  #doubt(held: number): void {
    if (this.#view.held === 0) {
      this.#logger.warn(
        `The store suddenly forgot ${held} instances of "${this.#service}"; keeping them until verified`,
      );
    }
    this.#scheduleVerification();
  }

  #scheduleVerification(): void {
    const wait = this.#guard.doubtUntil - this.#clock.monotonic();
    this.#verifyTimer = this.#clock.setTimer(() => void this.#verify(), wait);
  }

  async #verify(): Promise<void> {
    const { signal } = this.#closed;
    const before = this.#view;
    try {
      const confirmed = await this.#backend.getInstances(this.#service, { signal });
      // Whatever the watch brought meanwhile is newer and has its own verification.
      if (signal.aborted || this.#view !== before) return;
      this.#guard.trust();
      this.#apply(confirmed);
    } catch (error) {
      if (signal.aborted || this.#view !== before) return;
      this.#logger.warn(`Could not verify service "${this.#service}"; keeping ${before.held} instances`, {
        error,
      });
      this.#guard.troubled(this.#clock.monotonic());
      this.#scheduleVerification();
    }
  }

  #publish(view: ServiceView): void {
    const before = this.#view;
    this.#view = view;
    const sameToReaders =
      view.state === before.state && view.instances === before.instances && view.held === before.held;
    if (sameToReaders && (view.error === undefined) === (before.error === undefined)) return;
    try {
      this.#onChange(view);
    } catch (error) {
      this.#logger.error(`A listener of service "${this.#service}" threw`, { error });
    }
  }
}

function sameList(left: readonly ServiceInstance[], right: readonly ServiceInstance[]): boolean {
  return left.length === right.length && left.every((instance, index) => instance === right[index]);
}
