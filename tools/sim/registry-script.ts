import {
  BackendUnavailableError,
  createInstance,
  Latest,
  MalformedEntries,
  onAbort,
  type DiscoveryBackend,
  type ServiceInstance,
} from '@sd/core';

/** A store of one service, `orders`, whose script says what it lists and when it is away. */
export class ScriptedRegistry implements DiscoveryBackend {
  readonly name = 'scripted';
  readonly malformed = new MalformedEntries();
  readonly #watches = new Set<Latest<readonly ServiceInstance[]>>();
  #instances: readonly ServiceInstance[];
  #isAway = false;

  constructor(instances: readonly ServiceInstance[]) {
    this.#instances = instances;
  }

  /** From now on it lists these, and says so. */
  list(instances: readonly ServiceInstance[]): void {
    this.#instances = instances;
    for (const watch of this.#watches) watch.push(instances);
  }

  /** Breaks its watches and refuses everything, until it is told to `comeBack`. */
  goAway(): void {
    this.#isAway = true;
    for (const watch of this.#watches) watch.fail(this.#unavailable());
  }

  comeBack(instances: readonly ServiceInstance[]): void {
    this.#isAway = false;
    this.list(instances);
  }

  listServices(): Promise<readonly string[]> {
    return this.#isAway ? Promise.reject(this.#unavailable()) : Promise.resolve(['orders']);
  }

  getInstances(): Promise<readonly ServiceInstance[]> {
    return this.#isAway ? Promise.reject(this.#unavailable()) : Promise.resolve(this.#instances);
  }

  async *watch(
    _service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ServiceInstance[], void, undefined> {
    if (this.#isAway) throw this.#unavailable();
    const changes = new Latest<readonly ServiceInstance[]>();
    const forget = onAbort(signal, () => changes.end());
    this.#watches.add(changes);
    changes.push(this.#instances);
    try {
      yield* changes;
    } finally {
      this.#watches.delete(changes);
      forget();
    }
  }

  close(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #unavailable(): BackendUnavailableError {
    return new BackendUnavailableError(this.name, 'it is away', { service: 'orders' });
  }
}

export function ordersOn(ids: readonly string[]): readonly ServiceInstance[] {
  return ids.map((id) => createInstance({ service: 'orders', id, host: id, port: 80 }, 0));
}
