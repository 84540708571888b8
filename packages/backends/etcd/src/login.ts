import { AccessDeniedError, type Clock } from '@sd/core';
import { etcdError, wordsOf } from './etcd-errors.ts';
import type { Link } from './link.ts';

export interface LoginOptions {
  readonly username: string;
  readonly password: string;
  readonly clock: Clock;
}

/** A login that was refused is not tried again for so long, in milliseconds: somebody must change something first. */
const breatherMs = 500;

/**
 * The token of a user. It is asked for when it is needed, when etcd refuses it, and for each link: one that a server gave
 * before it lost its data is of the future for it, and such requests it never answers.
 */
export class Login {
  readonly #options: LoginOptions;
  #token: Token | undefined;
  #refused: { readonly error: unknown; readonly until: number } | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Empty where etcd knows no users. @throws {AccessDeniedError} */
  token(link: Link): Promise<string> {
    const { clock } = this.#options;
    if (this.#refused !== undefined && clock.monotonic() < this.#refused.until)
      return Promise.reject(this.#refused.error);
    if (this.#token?.link === link) return this.#token.promise;
    const promise = this.#authenticate(link);
    const token: Token = { link, promise };
    this.#token = token;
    promise.then(
      (value) => (token.value = value),
      (error: unknown) => {
        if (this.#token === token) this.#token = undefined;
        if (error instanceof AccessDeniedError)
          this.#refused = { error, until: clock.monotonic() + breatherMs };
      },
    );
    return promise;
  }

  /** The next request asks for another token. @param refused only if this one is still in use */
  forget(refused?: string): void {
    const { value } = this.#token ?? {};
    if (value !== undefined && (refused ?? value) === value) this.#token = undefined;
  }

  async #authenticate(link: Link): Promise<string> {
    const { username: name, password } = this.#options;
    try {
      const { token } = await link.unary<{ readonly token: string }>('Auth', 'authenticate', {
        name,
        password,
      });
      return token;
    } catch (error) {
      if (/authentication is not enabled/.test(wordsOf(error))) return '';
      const denial = etcdError(error, { username: name, secrets: [password] });
      throw denial instanceof AccessDeniedError ? denial : error;
    }
  }
}

interface Token {
  readonly link: Link;
  readonly promise: Promise<string>;
  /** Once it is known. */
  value?: string;
}
