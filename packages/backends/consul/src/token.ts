import { BackendUnavailableError } from '@sd/core';

/** The ACL token: given once and for all, or by a function that is asked again when Consul refuses what it gave. */
export class Token {
  readonly #source: string | (() => string | Promise<string>) | undefined;
  #current: Promise<string | undefined> | undefined;
  readonly #secrets = new Set<string>();

  constructor(source: string | (() => string | Promise<string>) | undefined) {
    this.#source = source;
  }

  /** The last of them: none must stand in a message. */
  get secrets(): Iterable<string> {
    return this.#secrets;
  }

  /** @throws {BackendUnavailableError} the function failed */
  get(): Promise<string | undefined> {
    this.#current ??= this.#ask();
    return this.#current;
  }

  /** Consul refused it. @returns another one, if there is */
  async after(refused: string | undefined): Promise<string | undefined> {
    if (typeof this.#source !== 'function') return undefined;
    const current = await this.#current;
    if (current === refused) this.#current = undefined;
    const next = await this.get();
    return next === refused ? undefined : next;
  }

  async #ask(): Promise<string | undefined> {
    try {
      const token = typeof this.#source === 'function' ? await this.#source() : this.#source;
      if (token === undefined) return undefined;
      if (typeof token !== 'string' || !/^[!-~]{1,512}$/.test(token)) throw new Error('it is no token');
      this.#secrets.delete(token);
      this.#secrets.add(token);
      const [oldest] = this.#secrets;
      if (this.#secrets.size > 8 && oldest !== undefined) this.#secrets.delete(oldest);
      return token;
    } catch (cause) {
      this.#current = undefined;
      throw new BackendUnavailableError('consul', 'the function that gets the ACL token failed', { cause });
    }
  }
}
