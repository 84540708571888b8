import { BackendUnavailableError, ClosedError, onAbort, type Clock, type Timer } from '@sd/core';
import Consul from 'consul';
import { Call, mendRequests } from './call.ts';
import { Connections, type Lane } from './connections.ts';
import { consulError, isReset, refusalOf, type Refusal } from './consul-errors.ts';
import type { TlsOptions } from '@sd/core';
import type { Token } from './token.ts';

export interface RequestsOptions {
  readonly url: string;
  readonly tls?: TlsOptions | undefined;
  readonly token: Token;
  readonly namespace?: string | undefined;
  readonly partition?: string | undefined;
  readonly timeoutMs: number;
  /** Blocking queries at once. */
  readonly watches: number;
  readonly clock: Clock;
}

export interface RequestOptions {
  /** For messages: `"register"`. */
  readonly what: string;
  readonly lane: Lane;
  readonly service?: string | undefined;
  /** ACL rules that it needs. */
  readonly rules?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What it may take longer than others, in milliseconds. */
  readonly waitMs?: number | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
  /** How Consul says that what is asked for is not there: the answer is then `undefined`. */
  readonly isAbsent?: ((refusal: Refusal) => boolean) | undefined;
}

export interface Answer {
  readonly body: unknown;
  /** 0 where there is none. */
  readonly index: number;
  /** The token lacks the right to see some of it. */
  readonly isFiltered: boolean;
}

/** To be handed on to the `consul` library with what it wants to know. */
export interface LibraryOptions {
  readonly ctx: Call;
  readonly token: string | undefined;
  readonly partition: string | undefined;
}

/** All requests to Consul: each has a deadline, can be aborted, and fails with a typed error that holds no secret. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #consul: Consul;
  readonly #connections: Connections;
  readonly #closed = new AbortController();
  /** How to end each request: a listener on one signal for each would cost the square of their number. */
  readonly #pending = new Set<(error: unknown) => void>();
  #answeredAt = -Infinity;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#connections = new Connections(options);
    const baseUrl = `${options.url.replace(/\/$/, '')}/v1`;
    const settings = { baseUrl, agent: this.#connections.agent('changes') };
    this.#consul = new Consul(settings);
    mendRequests(this.#consul);
  }

  /** When something was last heard of Consul, on the monotonic clock; blocking queries do not count. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** @throws {AccessDeniedError} {@link BackendUnavailableError}, {@link ClosedError}, or the reason of the signal */
  async send(
    options: RequestOptions,
    call: (consul: Consul, options: LibraryOptions) => Promise<unknown>,
  ): Promise<Answer | undefined> {
    const { what, signal, service, rules } = options;
    const { url, token } = this.#options;
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    try {
      return await this.#within(options, (over) => this.#withToken(options, call, over));
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
      throw consulError(error, { what, service, rules, url, secrets: token.secrets });
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new ClosedError('The consul backend'));
    for (const giveUp of this.#pending) giveUp(this.#closed.signal.reason);
    this.#connections.close();
  }

  async #withToken(
    options: RequestOptions,
    call: (consul: Consul, options: LibraryOptions) => Promise<unknown>,
    over: AbortSignal,
  ): Promise<Answer | undefined> {
    const token = await this.#options.token.get(over);
    over.throwIfAborted();
    try {
      return await this.#try(options, call, token, over);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined && options.isAbsent?.(refusal) === true) return undefined;
      if (refusal?.status !== 403 && refusal?.status !== 401) throw error;
      const other = await this.#options.token.after(token, over);
      over.throwIfAborted();
      if (other === undefined) throw error;
      return await this.#try(options, call, other, over);
    }
  }

  /** What is sent here can be sent twice, but a blocking query must not go on with an index from before. */
  async #try(
    options: RequestOptions,
    call: (consul: Consul, options: LibraryOptions) => Promise<unknown>,
    token: string | undefined,
    over: AbortSignal,
  ): Promise<Answer> {
    const { lane, query = {}, fields = {} } = options;
    const { namespace, partition, clock } = this.#options;
    const ns = namespace === undefined ? {} : { ns: namespace };
    const send = async (): Promise<Answer> => {
      const ctx = new Call({ agent: this.#connections.agent(lane), query: { ...ns, ...query }, fields });
      const forget = onAbort(over, () => ctx.cancel());
      try {
        const answer = answerOf(await call(this.#consul, { ctx, token, partition }));
        if (lane !== 'watches') this.#answeredAt = clock.monotonic();
        return answer;
      } catch (error) {
        if (refusalOf(error) !== undefined && lane !== 'watches') this.#answeredAt = clock.monotonic();
        if (lane === 'watches' || over.aborted || !ctx.wasOnOldConnection || !isReset(error)) throw error;
        return await send();
      } finally {
        forget();
      }
    };
    return send();
  }

  /** Nobody waits longer than the limit, or than the signal allows; what is under way is then broken off. */
  #within<T>(
    { what, lane, signal, service, waitMs = 0 }: RequestOptions,
    work: (over: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const turns = this.#connections.turns(lane);
    const limitMs = waitMs + timeoutMs;
    return new Promise<T>((resolve, reject) => {
      const over = new AbortController();
      let timer: Timer | undefined;
      const end = (): void => {
        timer?.cancel();
        forget();
        this.#pending.delete(giveUp);
        leave();
      };
      const giveUp = (error: unknown): void => {
        reject(error);
        over.abort(error);
        end();
      };
      const expire = (): void => {
        const problem = `no answer to "${what}" within ${limitMs} ms`;
        const error = new BackendUnavailableError('consul', problem, { service });
        turns.fail(error);
        giveUp(error);
      };
      const go = (): void => {
        timer = clock.setTimer(expire, limitMs);
        work(over.signal).then((value) => {
          resolve(value);
          end();
        }, giveUp);
      };
      const forget = onAbort(signal, () => giveUp(signal?.reason));
      this.#pending.add(giveUp);
      const leave = turns.take(go, giveUp);
    });
  }
}

/** With a `ctx` that asks for it, the library answers `[response, body]`. */
function answerOf(result: unknown): Answer {
  const [response, body] = Array.isArray(result) ? (result as readonly unknown[]) : [];
  const headers: unknown = Reflect.get(Object(response), 'headers');
  const header = (name: string): unknown => Reflect.get(Object(headers), name);
  const index = Number(header('x-consul-index') ?? 0);
  return {
    body,
    index: Number.isSafeInteger(index) && index > 0 ? index : 0,
    isFiltered: header('x-consul-results-filtered-by-acls') === 'true',
  };
}
