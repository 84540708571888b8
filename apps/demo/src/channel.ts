/** What there is of a connection to another process, on both of its ends: `process` and `ChildProcess` fit. */
export interface Port {
  readonly connected: boolean;
  send?(message: object, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

type Methods<T> = { readonly [Name in keyof T]: (...args: never[]) => unknown };

type Message =
  | {
      readonly kind: 'request';
      readonly id: number;
      readonly name: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'notice'; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly problem: string };

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Calls between two processes, in both directions: the methods of `Remote` there, and those of `local` here. Both ends
 * are the same program, so what arrives is what was sent.
 */
export class Channel<Remote extends Methods<Remote>> {
  readonly #port: Port;
  readonly #local: object;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(port: Port, local: object) {
    this.#port = port;
    this.#local = local;
    port.on('message', (message) => void this.#receive(message as Message)); // see above
    port.on('disconnect', () => this.#disconnected());
  }

  /**
   * @throws {ProcessGoneError}
   * @throws {Error} what the method threw, as text
   */
  request<Name extends keyof Remote & string>(
    name: Name,
    ...args: Parameters<Remote[Name]>
  ): Promise<Awaited<ReturnType<Remote[Name]>>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject }); // of the method that is asked
      this.#send({ kind: 'request', id, name, args });
    });
  }

  /** Like a request whose answer does not matter: it is dropped when the other process is gone. */
  notify<Name extends keyof Remote & string>(name: Name, ...args: Parameters<Remote[Name]>): void {
    this.#send({ kind: 'notice', name, args });
  }

  #send(message: Message): void {
    if (!this.#port.connected) {
      this.#disconnected();
      return;
    }
    this.#port.send?.(message, (error) => {
      if (error !== null) this.#disconnected();
    });
  }

  async #receive(message: Message): Promise<void> {
    if (message.kind === 'notice') {
      await this.#call(message);
    } else if (message.kind === 'request') {
      this.#send(await this.#answer(message));
    } else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.kind === 'answer') pending?.resolve(message.value);
      else pending?.reject(new Error(message.problem));
    }
  }

  async #answer(request: Extract<Message, { kind: 'request' }>): Promise<Message> {
    const { id } = request;
    try {
      return { kind: 'answer', id, value: await this.#call(request) };
    } catch (error) {
      return { kind: 'failure', id, problem: String(error) };
    }
  }

  async #call({
    name,
    args,
  }: {
    readonly name: string;
    readonly args: readonly unknown[];
  }): Promise<unknown> {
    const method: unknown = Reflect.get(this.#local, name);
    if (typeof method !== 'function') throw new Error(`There is no method "${name}"`);
    return Reflect.apply(method, this.#local, args);
  }

  #disconnected(): void {
    for (const { reject } of this.#pending.values()) reject(new ProcessGoneError());
    this.#pending.clear();
  }
}

/** Nobody answers any more. */
export class ProcessGoneError extends Error {
  constructor() {
    super('The other process is gone');
  }
}
