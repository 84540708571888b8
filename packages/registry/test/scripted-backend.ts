import {
  LeaseLostError,
  type DiscoveryLogger,
  type Lease,
  type LeaseLossReason,
  type LogDetails,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';

/** A store whose failures the test controls: a script runs before the store does anything, and may throw or wait. */
export class ScriptedBackend implements RegistryBackend {
  readonly name = 'scripted';
  readonly malformed = { count: 0, recent: [] };
  /** What consumers would see, by id. */
  readonly stored = new Map<string, ServiceInstance>();
  /** Every request in the order in which it came: `register orders-1`. */
  readonly requests: string[] = [];
  closed = false;
  onRegister: (instance: ServiceInstance, options: RegisterOptions) => Promise<void> | void = () => undefined;
  onUpdate: (instance: ServiceInstance) => Promise<void> | void = () => undefined;
  onRelease: (instance: ServiceInstance) => Promise<void> | void = () => undefined;
  readonly #leases = new Map<string, ScriptedLease>();

  /** Not async: a script that throws makes this throw before there is a promise. */
  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    this.requests.push(`register ${instance.id}`);
    const answer = this.onRegister(instance, options);
    return answer === undefined
      ? Promise.resolve(this.#grant(instance))
      : answer.then(() => this.#grant(instance));
  }

  /** The store drops the registration of this id. */
  lose(id: string, reason: LeaseLossReason): void {
    const lease = this.#leases.get(id);
    this.#leases.delete(id);
    this.stored.delete(id);
    lease?.abort(reason);
  }

  put(instance: ServiceInstance, lease: ScriptedLease): void {
    if (this.#leases.get(instance.id) === lease) this.stored.set(instance.id, instance);
  }

  remove(instance: ServiceInstance, lease: ScriptedLease): void {
    if (this.#leases.get(instance.id) !== lease) return;
    this.#leases.delete(instance.id);
    this.stored.delete(instance.id);
  }

  async listServices(): Promise<readonly string[]> {
    return [...new Set([...this.stored.values()].map(({ service }) => service))];
  }

  async getInstances(): Promise<readonly ServiceInstance[]> {
    return [...this.stored.values()];
  }

  watch(): AsyncIterable<readonly ServiceInstance[]> {
    throw new Error('Nobody watches here');
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #grant(instance: ServiceInstance): Lease {
    this.lose(instance.id, 'replaced');
    const lease = new ScriptedLease(this, instance);
    this.#leases.set(instance.id, lease);
    this.stored.set(instance.id, instance);
    return lease;
  }
}

class ScriptedLease implements Lease {
  readonly #backend: ScriptedBackend;
  readonly #lost = new AbortController();
  instance: ServiceInstance;

  constructor(backend: ScriptedBackend, instance: ServiceInstance) {
    this.#backend = backend;
    this.instance = instance;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async update(instance: ServiceInstance): Promise<void> {
    this.#backend.requests.push(`update ${instance.id}`);
    await this.#backend.onUpdate(instance);
    this.#lost.signal.throwIfAborted();
    this.instance = instance;
    this.#backend.put(instance, this);
  }

  async release(): Promise<void> {
    this.#backend.requests.push(`release ${this.instance.id}`);
    await this.#backend.onRelease(this.instance);
    this.#backend.remove(this.instance, this);
  }

  abort(reason: LeaseLossReason): void {
    this.#lost.abort(new LeaseLostError(this.instance.service, this.instance.id, reason));
  }
}

/** A promise that the test settles when it likes. */
export interface Answer {
  readonly promise: Promise<void>;
  give(): void;
  refuse(error: unknown): void;
}

export function answer(): Answer {
  let give: () => void = () => undefined;
  let refuse: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    give = resolve;
    refuse = reject;
  });
  return { promise, give, refuse };
}

export const never = (): Promise<void> => new Promise(() => undefined);

/** Keeps what is logged: `warn: Could not …`. */
export class RecordingLogger implements DiscoveryLogger {
  readonly lines: string[] = [];
  readonly details: (LogDetails | undefined)[] = [];

  at(level: string): readonly string[] {
    return this.lines.filter((line) => line.startsWith(`${level}: `));
  }

  debug(message: string, details?: LogDetails): void {
    this.#keep('debug', message, details);
  }

  info(message: string, details?: LogDetails): void {
    this.#keep('info', message, details);
  }

  warn(message: string, details?: LogDetails): void {
    this.#keep('warn', message, details);
  }

  error(message: string, details?: LogDetails): void {
    this.#keep('error', message, details);
  }

  #keep(level: string, message: string, details: LogDetails | undefined): void {
    this.lines.push(`${level}: ${message}`);
    this.details.push(details);
  }
}
