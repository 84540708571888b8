import {
  abortable,
  AccessDeniedError,
  Backoff,
  ClosedError,
  ConfigValidationError,
  createInstance,
  LeaseLostError,
  onAbort,
  sleep,
  type Lease,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import { LeaseRequests, type LeaseRequestsContext } from './lease-requests.ts';
import { OutageLog } from './outage-log.ts';
import { nameOf } from './registration-init.ts';
import type { RegistrationState } from './registration-state.ts';
import { publishedStatus, type ReportedHealth } from './reported-health.ts';
import { RevisionWaiters } from './revision-waiters.ts';
import { withTimeLimit } from './time-limit.ts';

export interface PublicationContext extends LeaseRequestsContext {
  readonly rng: Rng;
}

/** An instance as it shall be published; a higher revision is newer. */
interface Wanted {
  /** As its owner describes it. */
  readonly described: ServiceInstance;
  /** As it is published: the same, but for what checks have a say in. */
  readonly instance: ServiceInstance;
  readonly revision: number;
}

/**
 * Keeps one instance published: a single loop that compares what is wanted with what the lease has published, so that
 * there is one lease and one request at a time, whatever is asked for meanwhile.
 */
export class Publication {
  readonly #context: PublicationContext;
  readonly #onState: (state: RegistrationState) => void;
  readonly #requests: LeaseRequests;
  readonly #backoff: Backoff;
  /** A lease that lived this long was a success: its loss starts with the shortest pause again. */
  readonly #settledAfterMs: number;
  readonly #outage: OutageLog;
  readonly #waiters = new RevisionWaiters();
  /** Aborted with the reason why this publication is over. */
  readonly #over = new AbortController();
  readonly #finished: Promise<void>;
  #wanted: Wanted;
  /** What checks found last. */
  #reported: ReportedHealth | undefined;
  /** What the store took last. */
  #accepted: Wanted | undefined;
  /** What the store has now. */
  #published: Wanted | undefined;
  #wake: () => void = () => undefined;

  constructor(
    instance: ServiceInstance,
    context: PublicationContext,
    onState: (state: RegistrationState) => void,
  ) {
    const { ttlMs, rng, logger } = context;
    this.#context = context;
    this.#onState = onState;
    this.#requests = new LeaseRequests(context);
    this.#outage = new OutageLog(logger);
    this.#settledAfterMs = Math.min(15_000, ttlMs / 3);
    // The first pause is also the window over which providers that were lost together spread.
    this.#backoff = new Backoff({ baseMs: Math.min(1_000, ttlMs / 3), capMs: this.#settledAfterMs, rng });
    this.#wanted = { described: instance, instance, revision: 0 };
    const { signal } = this.#over;
    onAbort(signal, () => this.#waiters.refused(Infinity, signal.reason));
    this.#finished = this.#run();
  }

  /** As it is published, once the store has heard. */
  get instance(): ServiceInstance {
    return this.#wanted.instance;
  }

  /** As its owner describes it, whatever checks report. */
  get described(): ServiceInstance {
    return this.#wanted.described;
  }

  /**
   * Publishes this instance from now on; the same object again changes nothing.
   * Resolves when it, or a newer one, is in the store. The signal ends the waiting alone.
   * @throws why the publication is over, the signal's reason, or {@link ConfigValidationError} when the store cannot hold
   *   the instance
   */
  async publish(described: ServiceInstance, signal?: AbortSignal): Promise<void> {
    this.#over.signal.throwIfAborted();
    this.#want(described, this.#wanted);
    if (this.#wanted === this.#published) return;
    await this.#waiters.until(this.#wanted.revision, signal);
  }

  /** Publishes what checks found, from now on, unless the owner says worse. Else like `publish()`. */
  async report(found: ReportedHealth, signal?: AbortSignal): Promise<void> {
    this.#reported = found;
    await this.publish(this.#wanted.described, signal);
  }

  /** Takes the instance out of the store, whatever is in flight. Never throws and waits at most 5 s, or the ttl. */
  async stop(): Promise<void> {
    const { clock, logger, ttlMs } = this.#context;
    const timeoutMs = Math.min(5_000, ttlMs);
    const tooLate = (): unknown => new Error(`not done within ${timeoutMs} ms`);
    this.#over.abort(
      new ClosedError(`The registration of ${this.#name}`, { service: this.instance.service }),
    );
    try {
      await withTimeLimit(() => this.#finished, { clock, timeoutMs, tooLate });
    } catch (error) {
      logger.warn(`${this.#name} may stay in the store for its ttl of ${ttlMs} ms`, { error });
    }
    this.#onState({ value: 'deregistered', since: clock.now() });
  }

  async #run(): Promise<void> {
    let lease: Lease | undefined;
    try {
      for (;;) {
        const target = this.#wanted;
        lease = await this.#register(target);
        if (lease !== undefined) {
          const loss = await this.#keepCurrent(lease, target);
          lease = undefined;
          this.#lost(loss);
        }
        await sleep(this.#context.clock, this.#backoff.next(), { signal: this.#over.signal });
      }
    } catch (error) {
      const stopped = this.#over.signal.aborted;
      this.#over.abort(error);
      if (lease !== undefined) await this.#requests.release(lease);
      if (!stopped) this.#failed(error);
      await this.#requests.settled();
    }
  }

  /** One try; undefined if it failed and may work later. */
  async #register(target: Wanted): Promise<Lease | undefined> {
    try {
      return await this.#requests.register(target.instance, this.#over.signal);
    } catch (error) {
      this.#over.signal.throwIfAborted();
      const refused = error instanceof ConfigValidationError || error instanceof AccessDeniedError;
      if (error instanceof ClosedError || (refused && this.#accepted === undefined)) throw error;
      if (error instanceof ConfigValidationError) this.#takeBack(target, error);
      this.#outage.trouble(`Could not publish ${this.#name}; trying again until it works`, error);
      return undefined;
    }
  }

  /** Publishes every change through the lease; returns why it was lost. */
  async #keepCurrent(lease: Lease, registered: Wanted): Promise<unknown> {
    const { clock } = this.#context;
    const startedAt = clock.monotonic();
    const signal = AbortSignal.any([this.#over.signal, lease.lost]);
    try {
      signal.throwIfAborted();
      this.#succeeded(registered);
      this.#onState({ value: 'published', since: clock.now() });
      for (;;) {
        if (this.#wanted !== this.#published) await this.#update(lease, this.#wanted, signal);
        else await abortable(new Promise<void>((resolve) => (this.#wake = resolve)), signal);
      }
    } catch (error) {
      this.#over.signal.throwIfAborted();
      if (lease.lost.aborted) return lease.lost.reason;
      if (error instanceof LeaseLostError) return error;
      throw error;
    } finally {
      this.#published = undefined;
      if (clock.monotonic() - startedAt >= this.#settledAfterMs) this.#backoff.reset();
    }
  }

  async #update(lease: Lease, target: Wanted, signal: AbortSignal): Promise<void> {
    try {
      await this.#requests.update(lease, target.instance, signal);
      this.#backoff.reset();
      this.#succeeded(target);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LeaseLostError || error instanceof ClosedError) throw error;
      if (error instanceof ConfigValidationError) {
        this.#takeBack(target, error);
        return;
      }
      this.#outage.trouble(`Could not publish a change of ${this.#name}; trying again until it works`, error);
      await sleep(this.#context.clock, this.#backoff.next(), { signal });
    }
  }

  #succeeded(target: Wanted): void {
    this.#accepted = target;
    this.#published = target;
    this.#waiters.published(target.revision);
    this.#outage.recovered(`Published ${this.#name} again`);
  }

  /**
   * The store cannot hold this content, and never will: back to the last that it took, unless a newer one has come. What
   * checks found meanwhile stays.
   */
  #takeBack(target: Wanted, error: ConfigValidationError): void {
    const accepted = this.#accepted;
    if (this.#wanted === target && accepted !== undefined) {
      // What is refused may also be the report itself: it would be tried for ever.
      if (target.described === accepted.described) this.#wanted = accepted;
      else this.#want(accepted.described, accepted);
    }
    this.#waiters.refused(target.revision, error);
  }

  /** @param last what is wanted if it says the same already */
  #want(described: ServiceInstance, last: Wanted): void {
    const status = publishedStatus(described.status, this.#reported);
    if (described === last.described && status === last.instance.status) {
      this.#wanted = last;
      return;
    }
    const now = this.#context.clock.now();
    const instance = createInstance({ ...described, status, updatedAt: now }, now);
    this.#wanted = { described, instance, revision: this.#wanted.revision + 1 };
    this.#wake();
  }

  /** @throws the loss, when it is for good */
  #lost(loss: unknown): void {
    // A registration of our own that was given up and goes through late replaces us just like another process.
    if (isReplacement(loss) && !this.#requests.outstanding) throw loss;
    this.#onState({ value: 'lost', since: this.#context.clock.now(), error: loss });
    this.#outage.trouble(`Lost the registration of ${this.#name}; publishing it again`, loss);
  }

  /** Over, though nobody asked for it. */
  #failed(error: unknown): void {
    const { clock, logger } = this.#context;
    const since = clock.now();
    if (isReplacement(error)) {
      const advice = 'Give each process an id or a port of its own, and restart this one.';
      logger.error(`Another process registered ${this.#name}; this one is not published. ${advice}`, {
        error,
      });
      this.#onState({ value: 'replaced', since, error });
      return;
    }
    if (this.#accepted !== undefined) logger.error(`${this.#name} is not kept published any more`, { error });
    this.#onState({ value: 'deregistered', since });
  }

  get #name(): string {
    return nameOf(this.instance);
  }
}

function isReplacement(loss: unknown): loss is LeaseLostError {
  return loss instanceof LeaseLostError && loss.reason === 'replaced';
}
