import type { HttpTransport, TransportAnswer, TransportRequest } from '@sd/client';
import { validate } from '@sd/core';
import { DiscoveryClient, type Attempt } from '@sd/discovery';
import type { Readable } from 'node:stream';
import { errors, util, type Dispatcher } from 'undici';
import * as v from 'valibot';
import { arrive, type Arrival } from './arrivals.ts';
import type { DiscoveryAgentOptions } from './discovery-agent.ts';
import { EndpointPools } from './endpoint-pools.ts';
import { poolOptionEntries } from './options.ts';
import type { PromptClient } from './prompt-client.ts';
import type { RequestHandler } from './request-handler.ts';
import { classifyUndiciFailure } from './undici-failure.ts';

export type UndiciTransportOptions = Pick<
  DiscoveryAgentOptions,
  'discovery' | 'connectTimeoutMs' | 'servername' | 'pool'
>;

/**
 * For `new ServiceClient({ service, discovery, transport })`: the same API over connections of undici, which take a
 * fraction of got's CPU time. Other than got it follows no redirects and asks for no compression.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function undiciTransport(options: UndiciTransportOptions): HttpTransport {
  validate('undiciTransport', optionsSchema, options);
  return new UndiciTransport(options);
}

class UndiciTransport implements HttpTransport {
  readonly classify = classifyUndiciFailure;
  readonly #pools: EndpointPools;

  constructor(options: UndiciTransportOptions) {
    this.#pools = new EndpointPools({ ...options, pool: options.pool ?? {} });
  }

  exchange(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Uint8Array>> {
    return new Promise((resolve, reject) => {
      const handler = new ExchangeHandler(resolve, reject);
      attempt.onStop(() => setImmediate(handler.stop)); // see AttemptHandler.stop
      this.#pools.poolOf(attempt.endpoint).dispatch(optionsOf(request), handler);
    });
  }

  async open(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Readable>> {
    const pool = this.#pools.poolOf(attempt.endpoint);
    const stop = new AbortController();
    attempt.onStop((reason) => setImmediate(() => stop.abort(reason)));
    const answer = await pool.request({ ...optionsOf(request), signal: stop.signal });
    // Without a body there is nothing to read, and whoever does not read it would keep the instance busy.
    if (request.method === 'HEAD' || hasNoBody(answer)) answer.body.resume();
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  close(): Promise<void> {
    return this.#pools.destroy(new errors.ClientDestroyedError());
  }
}

/** Reads an answer to its end. */
class ExchangeHandler implements RequestHandler, Arrival {
  filled: PromptClient | undefined;
  readonly #resolve: (answer: TransportAnswer<Uint8Array>) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #rawHeaders: Buffer[] = [];
  #abort: ((reason?: Error) => void) | undefined;
  #isStopped = false;

  constructor(resolve: (answer: TransportAnswer<Uint8Array>) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  readonly stop = (): void => {
    this.#isStopped = true;
    this.#abort?.();
  };

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    if (this.#isStopped) abort();
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    this.#status = status;
    this.#rawHeaders = rawHeaders;
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    return true;
  }

  onComplete(): void {
    arrive(this);
  }

  handOn(): void {
    this.#resolve({
      status: this.#status,
      headers: util.parseHeaders(this.#rawHeaders),
      body: Buffer.concat(this.#chunks), // a lone chunk, too: it may be a view on much more
    });
  }

  onError(error: Error): void {
    this.#reject(error);
  }
}

function hasNoBody({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  return statusCode === 204 || statusCode === 304 || headers['content-length'] === '0';
}

function optionsOf({ method, url, headers, body }: TransportRequest) {
  return { path: pathOf(url), method: method, headers, body: body ?? null };
}

/** As a URL has it: with what must be escaped, and without `..`. Most have nothing of that, and need no parser. */
function pathOf(url: string): string {
  const plain = /^https?:\/\/[^/?#]+((?:\/[\w~!$&()*+,;=:@-]*)+(?:\?[\w~!$&()*+,;=:@%/?.-]*)?)$/.exec(
    url,
  )?.[1];
  if (plain !== undefined) return plain;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

const optionsSchema = v.strictObject(
  { discovery: v.instance(DiscoveryClient, 'a DiscoveryClient'), ...poolOptionEntries },
  'an object with discovery',
);
