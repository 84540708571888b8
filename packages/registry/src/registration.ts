import { ConfigValidationError, validate, type ServiceInstance } from '@sd/core';
import { drain, drainSchema, type Drainable, type DrainOptions } from './drain.ts';
import { Connections, type ListeningServer } from './listening-server.ts';
import { Publication, type PublicationContext } from './publication.ts';
import { changeInstance, nameOf, type InstanceChanges } from './registration-init.ts';
import { waitSchema } from './registry-options.ts';
import type { RegistrationState } from './registration-state.ts';
import { reportSchema, type ReportedHealth } from './reported-health.ts';
import { keepAlive } from './time-limit.ts';

export interface RegistrationContext extends PublicationContext {
  readonly drain: DrainOptions;
}

/** One instance that is published, and kept published until it is drained or deregistered. */
export class Registration implements AsyncDisposable {
  readonly #context: RegistrationContext;
  readonly #server: Drainable['server'];
  readonly #publication: Publication;
  readonly #listeners = new Set<(state: RegistrationState) => void>();
  readonly #leaving = new AbortController();
  #state: RegistrationState;
  /** States that not all listeners have heard of, the oldest first. */
  readonly #untold: RegistrationState[] = [];
  #drained: Promise<void> | undefined;
  #deregistered: Promise<void> | undefined;

  constructor(instance: ServiceInstance, server: ListeningServer | undefined, context: RegistrationContext) {
    this.#context = context;
    this.#server = server === undefined ? undefined : { own: server, connections: new Connections(server) };
    this.#state = { value: 'publishing', since: context.clock.now() };
    this.#publication = new Publication(instance, context, (state) => this.#enter(state));
  }

  /** As it is wanted now; the store may still have to hear of it. */
  get instance(): ServiceInstance {
    return this.#publication.instance;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** Set while it is being deregistered: resolves when it is. */
  get leaving(): Promise<void> | undefined {
    return this.#state.value === 'deregistered' ? undefined : this.#deregistered;
  }

  /**
   * Calls `listener` with each new state.
   * @returns a function that ends that
   */
  onStateChange(listener: (state: RegistrationState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Changes what is published, for good: a lost registration comes back with it, and the last call wins.
   * Resolves when the store has it; without changes, when it has what is wanted. The signal ends the waiting, not the
   * change. The status is published unless checks report worse, see {@link reportHealth}; while draining, it stays
   * `draining`.
   * @throws {ConfigValidationError} a value is wrong, or the store cannot hold it; then nothing changes
   * @throws {ClosedError} deregistered, now or meanwhile
   * @throws {LeaseLostError} replaced by another process
   */
  async update(
    changes: InstanceChanges,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { signal } = validate('Registration.update', waitSchema, options);
    const { clock } = this.#context;
    const pinned: InstanceChanges =
      this.#state.value === 'draining' ? { ...changes, status: 'draining' } : changes;
    const wanted = changeInstance(this.#publication.described, pinned, clock.now());
    await keepAlive(clock, this.#publication.publish(wanted, signal));
  }

  /**
   * Says what checks of this process found; it holds until the next report. The worse of that and of the last status that
   * `register()` or `update()` were given is published: `out-of-service` stays until an `update()` with a better status
   * takes it back, and what the checks found meanwhile shows then. Only `starting` gives way to any report.
   * Resolves when the store has it, at once if it changes nothing. The signal ends the waiting, not the report. Unlike
   * `update()` it does not keep the process alive, as nobody stays for a check in the background.
   * @throws {ConfigValidationError} the status is none, or the store cannot hold what is published with it
   * @throws {ClosedError} deregistered, now or meanwhile
   * @throws {LeaseLostError} replaced by another process
   */
  async reportHealth(
    status: ReportedHealth,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const found = validate('Registration.reportHealth', reportSchema, { status });
    const { signal } = validate('Registration.reportHealth', waitSchema, options);
    await this.#publication.report(found.status, signal);
  }

  /**
   * Leaves without failing a request: marks the instance `draining`, gives consumers time to hear of it, closes the
   * server it was registered with and finishes the work in flight, deregisters. What was never published is given up
   * first, as nobody has to hear of it. Never takes longer than `timeoutMs`, also while the store is down. Again it joins
   * the first call; `deregister()` cuts it short.
   * @throws {ConfigValidationError} an option is wrong
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    validate('Drain', drainSchema, options);
    const defaults = this.#context.drain;
    const {
      propagationMs = defaults.propagationMs,
      finish = defaults.finish,
      timeoutMs = defaults.timeoutMs,
    } = options;
    const plan = validate('Drain', drainSchema, { propagationMs, finish, timeoutMs });
    if (this.#drained === undefined && this.#deregistered !== undefined) return this.deregister();
    if (this.#drained === undefined) {
      const isKnown = this.#state.value !== 'publishing';
      const { clock, logger } = this.#context;
      const target: Drainable = {
        name: nameOf(this.instance),
        server: this.#server,
        announce: isKnown ? () => this.#announce() : undefined,
        deregister: () => this.#leave(),
      };
      const drained = drain(target, plan, { clock, logger, signal: this.#leaving.signal });
      this.#drained = keepAlive(
        clock,
        drained.then(() => this.#server?.connections.forget()),
      );
      if (!isKnown) void this.#leave();
      else if (this.#state.value !== 'replaced') this.#enter({ value: 'draining', since: clock.now() });
    }
    return this.#drained;
  }

  /** Takes the instance out of the store at once, or gives up on that after 5 s. Idempotent; never throws. */
  deregister(): Promise<void> {
    this.#leaving.abort();
    return this.#leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.deregister();
  }

  async #announce(): Promise<void> {
    try {
      await this.update({ status: 'draining' });
    } catch (error) {
      if (!(error instanceof ConfigValidationError)) throw error;
      // Another change that came before, which is taken back now.
      await this.update({ status: 'draining' });
    }
  }

  #leave(): Promise<void> {
    this.#deregistered ??= keepAlive(this.#context.clock, this.#publication.stop());
    return this.#deregistered;
  }

  #enter(state: RegistrationState): void {
    const { value: before } = this.#state;
    if (before === 'deregistered') return;
    if (before === 'draining' && (state.value === 'published' || state.value === 'lost')) return;
    this.#state = state;
    if (state.value === 'deregistered' && this.#drained === undefined) this.#server?.connections.forget();
    this.#untold.push(state);
    if (this.#untold.length > 1) return; // a listener changed it: all hear of one state before they hear of the next
    for (let next: RegistrationState | undefined = state; next !== undefined; next = this.#untold[0]) {
      for (const listener of [...this.#listeners]) this.#tell(listener, next);
      this.#untold.shift();
    }
  }

  #tell(listener: (state: RegistrationState) => void, state: RegistrationState): void {
    try {
      listener(state);
    } catch (error) {
      this.#context.logger.error(`A listener of ${nameOf(this.instance)} threw`, { error });
    }
  }
}
