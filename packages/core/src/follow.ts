import * as v from 'valibot';
import { abortable } from './abortable.ts';
import { Backoff } from './backoff.ts';
import { isBackend, type DiscoveryBackend } from './backend.ts';
import { sleep, systemClock, type Clock, type Timer } from './clock.ts';
import { ClosedError } from './errors.ts';
import { followOptions, type FollowOptions } from './follow-options.ts';
import { globalLogger, unfailing, type DiscoveryLogger } from './logger.ts';
import { lookUp } from './lookup.ts';
import { Pauses } from './pauses.ts';
import { systemRng } from './rng.ts';
import { validateServiceName, type ServiceInstance } from './service-instance.ts';
import type { ServiceView } from './service-view.ts';
import { ShrinkGuard } from './shrink-guard.ts';
import { asList, assertSnapshot, withIdentity } from './snapshot.ts';
import { validate } from './validation.ts';
import { keepWatching } from './watching.ts';

/** A service being followed. */
export interface Following {
  readonly view: ServiceView;
  /**
   * Resolves with the view as soon as it has been in sync with the store; it may have become stale since.
   * @throws the signal's reason, or {@link ClosedError}
   */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<ServiceView>;
  /** Stops watching. Idempotent. */
  close(): void;
}

/**
 * Supervises the watch of one service, for as long as it is not closed: reconnects with full jitter, keeps the last
 * good snapshot and marks it stale, holds what a troubled store suddenly forgets, and folds bursts into one change.
 * @throws {ConfigValidationError} naming each wrong option, the name that no service can have, or what is no backend
 */
export function follow(backend: DiscoveryBackend, service: string, options: FollowOptions = {}): Following {
  validate('follow()', followed, { backend });
  return new Follower(backend, validateServiceName(service), validate('follow()', followOptions, options));
}

const followed = v.object({ backend: v.custom(isBackend, 'a backend, e.g. new MemoryBackend()') });

class Follower implements Following {
  readonly #backend: DiscoveryBackend;
  readonly #service: string;
  readonly #onChange: (view: ServiceView) => void;
  readonly #onLost: (error: unknown) => void;
  readonly #coalesceMs: number;
  readonly #timeoutMs: number;
  readonly #guard: ShrinkGuard;
  readonly #leavePauses: () => void;
  readonly #clock: Clock;
  readonly #logger: DiscoveryLogger;
  readonly #closed = new AbortController();
  /** One promise for all would keep everybody who ever waited for it, also those who gave up. */
  readonly #waiting = new Set<() => void>();
  #view: ServiceView;
  #pending: readonly ServiceInstance[] | undefined;
  #appliedAt = -Infinity;
  #applyTimer: Timer | undefined;
  /** Aborts the verification under way. */
  #verification: AbortController | undefined;

  constructor(backend: DiscoveryBackend, service: string, options: FollowOptions) {
    const { clock = systemClock, rng = systemRng, logger = globalLogger, reconnect } = options;
    this.#backend = backend;
    this.#service = service;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#onLost = options.onLost ?? (() => undefined);
    this.#coalesceMs = options.coalesceMs ?? 20;
    this.#timeoutMs = options.firstSnapshotTimeoutMs ?? 10_000;
    this.#clock = clock;
    const pauses = Pauses.of(clock);
    this.#leavePauses = pauses.use();
    this.#guard = new ShrinkGuard(pauses, options.shrinkGuard);
    this.#logger = unfailing(() => logger);
    this.#view = emptyView(service, clock.now());
    void keepWatching({
      backend,
      service,
      firstSnapshotTimeoutMs: this.#timeoutMs,
      backoff: new Backoff({ baseMs: reconnect?.baseMs ?? 100, capMs: reconnect?.capMs ?? 15_000, rng }),
      clock,
      logger: this.#logger,
      signal: this.#closed.signal,
      onSnapshot: (snapshot) => this.#received(snapshot),
      onLost: (error) => this.#lost(error),
    });
  }

  get view(): ServiceView {
    return this.#view;
  }

  async ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ServiceView> {
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    if (this.#view.state === 'connecting') await this.#synced(signal);
    this.#closed.signal.throwIfAborted();
    return this.#view;
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    const closed = new ClosedError(`The view of service "${this.#service}"`, { service: this.#service });
    this.#closed.abort(closed);
    for (const wake of this.#waiting) wake();
    this.#applyTimer?.cancel();
    this.#leavePauses();
    this.#stopVerifying();
  }

  async #synced(signal: AbortSignal | undefined): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    try {
      await abortable(woken, signal);
    } finally {
      this.#waiting.delete(wake);
    }
  }

  #received(snapshot: readonly ServiceInstance[]): void {
    assertSnapshot(snapshot);
    if (this.#view.state !== 'live') {
      if (this.#view.state === 'stale') this.#guard.recovered(this.#clock.monotonic());
      return this.#apply(snapshot);
    }
    this.#pending = snapshot;
    const waitMs = this.#appliedAt + this.#coalesceMs - this.#clock.monotonic();
    if (waitMs <= 0) this.#applyPending();
    else this.#applyTimer ??= this.#clock.setTimer(() => this.#applyPending(), waitMs);
  }

  #lost(error: unknown): void {
    this.#applyPending();
    this.#stopVerifying();
    const { state, error: before } = this.#view;
    if (state === 'live') this.#guard.lost(this.#clock.monotonic());
    if (before === undefined || kindOf(error) !== kindOf(before)) {
      const loss = state === 'connecting' ? 'Cannot watch' : 'Lost the store of';
      const rest = state === 'connecting' ? 'trying again' : 'serving the last good snapshot';
      const level = isFirstLoss(this.#backend, kindOf(error), this.#clock.monotonic()) ? 'warn' : 'debug';
      this.#logger[level](`${loss} service "${this.#service}"; ${rest}`, { error });
    }
    this.#publish({
      ...this.#view,
      ...(state === 'live' ? { state: 'stale', since: this.#clock.now() } : {}),
      error,
    });
    this.#tell(() => this.#onLost(error));
  }

  #applyPending(): void {
    this.#applyTimer?.cancel();
    this.#applyTimer = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#apply(pending);
  }

  #apply(snapshot: readonly ServiceInstance[]): void {
    const { instances: known, state, since, error } = this.#view;
    const next = withIdentity(snapshot, known);
    if (state !== 'live' && error !== undefined)
      this.#logger.warn(`Service "${this.#service}" is in sync again`); // as that it was not
    this.#appliedAt = this.#clock.monotonic();
    const held = this.#guard.hold(known, next, this.#appliedAt);
    if (held.length === 0) this.#stopVerifying();
    else this.#startVerifying(held.length);
    this.#publish({
      service: this.#service,
      state: 'live',
      since: state === 'live' ? since : this.#clock.now(),
      instances: asList([...next.values(), ...held], known),
      held: held.length,
      error: undefined,
    });
    for (const wake of this.#waiting) wake();
  }

  #startVerifying(held: number): void {
    if (this.#verification !== undefined) return;
    if (this.#view.held === 0) {
      this.#logger.warn(
        `The store suddenly forgot ${held} instances of "${this.#service}"; keeping them until verified`,
      );
    }
    this.#verification = new AbortController();
    void this.#verify(this.#verification.signal);
  }

  #stopVerifying(): void {
    this.#verification?.abort();
    this.#verification = undefined;
  }

  /** Asks the store itself, for as long as something is held and the watch is up. Never rejects. */
  async #verify(signal: AbortSignal): Promise<void> {
    let waitMs = this.#guard.doubtUntil - this.#clock.monotonic();
    for (;;) {
      try {
        await sleep(this.#clock, waitMs, { signal });
        const limits = { clock: this.#clock, timeoutMs: this.#timeoutMs, signal };
        const listed = await lookUp(this.#backend, this.#service, limits);
        signal.throwIfAborted(); // it may have aborted in the moment between the answer and here
        // What is not held came by the watch, which is as new as the answer: the answer is about the rest.
        const watched = this.#view.instances.filter((instance) => !this.#guard.isHeld(instance));
        this.#guard.verified(listed);
        this.#apply(watched);
      } catch (error) {
        if (signal.aborted) return;
        const problem = `Could not verify service "${this.#service}"; keeping ${this.#view.held} instances`;
        this.#logger.warn(problem, { error });
      }
      waitMs = this.#guard.verifyAfterMs;
    }
  }

  #publish(view: ServiceView): void {
    if (this.#closed.signal.aborted) return;
    const before = this.#view;
    this.#view = Object.freeze(view);
    const sameToReaders =
      view.state === before.state && view.instances === before.instances && view.held === before.held;
    if (sameToReaders && (view.error === undefined) === (before.error === undefined)) return;
    this.#tell(() => this.#onChange(view));
  }

  /** A listener may have closed it just now. */
  #tell(listener: () => void): void {
    if (this.#closed.signal.aborted) return;
    try {
      listener();
    } catch (error) {
      this.#logger.error(`A listener of service "${this.#service}" threw`, { error });
    }
  }
}

function emptyView(service: string, since: number): ServiceView {
  const instances = Object.freeze([]);
  return Object.freeze({ service, state: 'connecting', since, instances, held: 0, error: undefined });
}

/** Errors of one kind in a row are reported once. */
function kindOf(error: unknown): unknown {
  return error instanceof Error ? ('code' in error ? error.code : error.name) : typeof error;
}

/**
 * Whether no other service of the backend was lost in the same way just now: when a store goes, all its services do, and
 * one warning says it.
 */
function isFirstLoss(backend: DiscoveryBackend, kind: unknown, now: number): boolean {
  const last = lastLosses.get(backend);
  if (last !== undefined && last.kind === kind && now - last.at < sameOutageMs) return false;
  lastLosses.set(backend, { kind, at: now });
  return true;
}

const lastLosses = new WeakMap<DiscoveryBackend, { readonly kind: unknown; readonly at: number }>();
const sameOutageMs = 10_000;
