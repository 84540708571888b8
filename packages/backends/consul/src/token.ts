import { BackendUnavailableError, onAbort } from '@sd/core';

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

  /**
   * @param over aborts when nobody waits for it any more: with the error of a request that had no answer in time, a
   * function that may never answer is asked again by the next
   * @throws {BackendUnavailableError} the function failed
   */
  async get(over: AbortSignal): Promise<string | undefined> {
    const current = (this.#current ??= this.#ask());
    const forget = onAbort(over, () => {
      if (over.reason instanceof BackendUnavailableError) this.#forget(current);
    });
    try {
      return await current;
    } catch (error) {
      this.#forget(current);
      throw error;
    } finally {
      forget();
    }
  }

  /** Consul refused it. @returns another one, if there is */
  async after(refused: string | undefined, over: AbortSignal): Promise<string | undefined> {
    if (typeof this.#source !== 'function') return undefined;
    const asked = this.#current;
    if ((await this.get(over)) === refused) this.#forget(asked);
    const next = await this.get(over);
    return next === refused ? undefined : next;
  }

  #forget(asked: Promise<string | undefined> | undefined): void {
    if (this.#current === asked) this.#current = undefined;
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
      throw new BackendUnavailableError('consul', 'the function that gets the ACL token failed', { cause });
    }
  }
}
