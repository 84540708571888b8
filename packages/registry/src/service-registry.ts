import {
  abortable,
  ClosedError,
  ConfigValidationError,
  describeValue,
  globalLogger,
  systemClock,
  systemRng,
  unfailing,
  validate,
  type ServiceInstance,
} from '@sd/core';
import { drainSchema, type DrainOptions } from './drain.ts';
import {
  describeInstance,
  validateDefaults,
  type RegistrationDefaults,
  type RegistrationInit,
} from './registration-init.ts';
import { Registration, type RegistrationContext } from './registration.ts';
import { optionsSchema, waitSchema, type ServiceRegistryOptions } from './registry-options.ts';
import { onShutdownSignal } from './shutdown-signals.ts';

/**
 * Publishes the instances of this process, and keeps them published whatever becomes of the store, until they are
 * drained or deregistered.
 */
export class ServiceRegistry implements AsyncDisposable {
  readonly #context: RegistrationContext;
  readonly #defaults: RegistrationDefaults;
  readonly #registrations = new Map<string, Registration>();
  readonly #ignoreSignals: () => void;
  #closed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: ServiceRegistryOptions) {
    validate('ServiceRegistry', optionsSchema, options);
    const { backend, ttlMs = 30_000, defaults = {}, shutdownSignals = [], drain = {} } = options;
    const { clock = systemClock, rng = systemRng, logger: given = globalLogger } = options;
    const logger = unfailing(() => given);
    this.#defaults = validateDefaults(defaults);
    this.#context = { backend, ttlMs, drain, clock, rng, logger };
    this.#ignoreSignals = onShutdownSignal(shutdownSignals, () => this.#shutDown(), logger);
  }

  /** Those that are not deregistered. */
  get registrations(): readonly Registration[] {
    return [...this.#registrations.values()];
  }

  /**
   * Publishes an instance; resolves when consumers can find it. While the store is unavailable it keeps trying, until
   * the signal aborts or the registry closes. A registration of the same id that is just leaving is waited for.
   * @throws {ConfigValidationError} a field is wrong, or the id is registered here already
   * @throws {AccessDeniedError} the store refuses us
   * @throws {ClosedError} the registry, or its backend, is closed
   */
  async register(
    init: RegistrationInit,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Registration> {
    const { signal } = validate('ServiceRegistry.register', waitSchema, options);
    signal?.throwIfAborted();
    this.#assertOpen();
    const instance = describeInstance(init, this.#defaults, this.#context.clock.now());
    const key = `${instance.service}/${instance.id}`;
    for (let holder = this.#holderOf(key); holder !== undefined; holder = this.#holderOf(key)) {
      if (holder.leaving === undefined) throw registeredAlready(instance);
      await abortable(holder.leaving, signal);
      this.#assertOpen();
    }
    const registration = new Registration(instance, init.server, this.#context);
    this.#registrations.set(key, registration);
    registration.onStateChange(({ value }) => {
      if (value === 'deregistered' && this.#registrations.get(key) === registration) {
        this.#registrations.delete(key);
      }
    });
    try {
      await registration.update({}, { signal });
      return registration;
    } catch (error) {
      // It reports what goes wrong by itself, and close() waits for it. What is closed already may be finishing its work.
      if (!(error instanceof ClosedError) || signal?.aborted === true) void registration.deregister();
      throw error;
    }
  }

  /** Drains all registrations, side by side; see {@link Registration.drain}. */
  async drain(options: DrainOptions = {}): Promise<void> {
    validate('Drain', drainSchema, options);
    await Promise.all(this.registrations.map((registration) => registration.drain(options)));
  }

  /** Deregisters all without waiting for work in flight, or gives up on that after 5 s. Idempotent; never throws. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ignoreSignals();
    await Promise.all(this.registrations.map((registration) => registration.deregister()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('ServiceRegistry');
  }

  #holderOf(key: string): Registration | undefined {
    const registration = this.#registrations.get(key);
    return registration?.state.value === 'replaced' ? undefined : registration;
  }

  async #shutDown(): Promise<void> {
    this.#closed = true; // whoever comes now would not be drained
    await this.drain();
    await this.close();
  }
}

function registeredAlready({ service, id }: ServiceInstance): ConfigValidationError {
  const expected = 'an id that is not registered here yet; update() that one, or await its deregister()';
  return new ConfigValidationError('Registration', [{ field: 'id', received: describeValue(id), expected }], {
    service,
  });
}
