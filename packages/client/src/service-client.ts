import {
  addressOf,
  ClosedError,
  ConfigValidationError,
  describeValue,
  validate,
  validateServiceName,
} from '@sd/core';
import type { Attempt, CallOptions, DiscoveryClient } from '@sd/discovery';
import got, {
  RequestError,
  type Got,
  type HttpsOptions,
  type Method,
  type OptionsInit,
  type PlainResponse,
} from 'got';
import { once } from 'node:events';
import { Agent as HttpAgent, type ClientRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { clientOptionsSchema } from './client-options.ts';
import { HttpStatusError, UnsupportedProtocolError, UnusableAddressError } from './errors.ts';
import { classifyHttpFailure, isServerFailure } from './http-failure.ts';
import { linkSignals } from './linked-signal.ts';
import {
  isIdempotent,
  requestOptionsSchema,
  validateHeaderValues,
  type RequestHeaders,
  type RequestOptions,
} from './request-options.ts';
import {
  pendingResponse,
  ServiceResponse,
  type PendingResponse,
  type StreamedResponse,
} from './service-response.ts';

export interface ServiceClientOptions extends Pick<
  CallOptions,
  'strategy' | 'filter' | 'deadlineMs' | 'attemptTimeoutMs' | 'retries'
> {
  readonly service: string;
  /** Finds the instances. Whoever made it closes it. */
  readonly discovery: DiscoveryClient;
  /** Put before each path, e.g. `/api/v1`. */
  readonly basePath?: string | undefined;
  /** Sent with each request. */
  readonly headers?: RequestHeaders | undefined;
  /** For opening a connection, TLS included, in milliseconds. Default: 1,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Certificates and checks for instances with protocol `https`, as got takes them. */
  readonly https?: HttpsOptions | undefined;
}

/** HTTP calls to one service, each to an instance that can take it, repeated on another one where that is safe. */
export class ServiceClient implements AsyncDisposable {
  readonly service: string;
  readonly #discovery: DiscoveryClient;
  readonly #options: ServiceClientOptions;
  readonly #basePath: string;
  readonly #agents = { http: new HttpAgent(keptAlive), https: new HttpsAgent(keptAlive) };
  readonly #got: Got;
  readonly #closed = new AbortController();

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: ServiceClientOptions) {
    validate('ServiceClient', clientOptionsSchema, options);
    validateHeaderValues('ServiceClient', options.headers);
    this.service = validateServiceName(options.service);
    this.#discovery = options.discovery;
    this.#options = options;
    this.#basePath = `/${options.basePath ?? ''}`.replace(/\/+$/, '').replace(/^\/+/, '/');
    const connectMs = options.connectTimeoutMs ?? 1_000;
    this.#got = got.extend({
      retry: { limit: 0 }, // got would repeat on the same endpoint
      throwHttpErrors: false,
      hooks: { beforeError: [hideRequest] },
      timeout: { lookup: connectMs, connect: connectMs, secureConnect: connectMs },
      agent: this.#agents,
      headers: { ...options.headers },
      ...(options.https === undefined ? {} : { https: options.https }),
    });
  }

  get(path: string, options?: RequestOptions): PendingResponse {
    return this.request('GET', path, options);
  }

  head(path: string, options?: RequestOptions): PendingResponse {
    return this.request('HEAD', path, options);
  }

  post(path: string, options?: RequestOptions): PendingResponse {
    return this.request('POST', path, options);
  }

  put(path: string, options?: RequestOptions): PendingResponse {
    return this.request('PUT', path, options);
  }

  patch(path: string, options?: RequestOptions): PendingResponse {
    return this.request('PATCH', path, options);
  }

  delete(path: string, options?: RequestOptions): PendingResponse {
    return this.request('DELETE', path, options);
  }

  /**
   * Sends a request and reads the answer to its end.
   * @throws {HttpStatusError} the answer's status is 400 or above, after retries
   * @throws {ConfigValidationError} {@link ClosedError} and what `DiscoveryClient.call` throws
   */
  request(method: string, path: string, options: RequestOptions = {}): PendingResponse {
    const answer = this.#call(method, path, options, async (url, settings, attempt) => {
      const pending = this.#got(url, { ...settings, responseType: 'buffer' });
      const { statusCode, headers, body } = await pending.on('request', refuseUpgrade);
      return readResponse(attempt, statusCode, headers, body);
    });
    return pendingResponse(answer);
  }

  /**
   * Sends a request and resolves when the head of the answer is there; its body is a stream. Deadline and attempt
   * timeout hold until then, the caller's signal also for the body. A body that breaks off is not repeated.
   * @throws as `request` does
   */
  async stream(method: string, path: string, options: RequestOptions = {}): Promise<StreamedResponse> {
    const answer = await this.#call<ServiceResponse | StreamedResponse>(
      method,
      path,
      options,
      async (url, settings, attempt) => {
        const body = this.#got.stream(url, settings);
        // An upload may fail after the answer was read to its end, when nobody else listens.
        body.on('error', hideRequest);
        body.on('request', refuseUpgrade);
        if (settings.body === undefined && settings.json === undefined && settings.form === undefined)
          body.end();
        const [head] = (await once(body, 'response')) as [PlainResponse];
        if (head.statusCode >= 400) {
          const bytes = await buffer(body);
          body.destroy(); // it may still be sending
          return readResponse(attempt, head.statusCode, head.headers, bytes);
        }
        const { signal, unlink } = linkSignals(options.signal, this.#closed.signal);
        addAbortSignal(signal, body);
        attempt.keepUntil(finished(body, { writable: false }).finally(unlink));
        const { instance, number: attempts } = attempt;
        return { status: head.statusCode, headers: head.headers, body, instance, attempts };
      },
    );
    if (!(answer instanceof ServiceResponse)) return answer;
    const { status, headers, instance, attempts } = answer;
    return { status, headers, body: Readable.from([answer.body]), instance, attempts };
  }

  /** Cancels calls under way and closes all connections. The `DiscoveryClient` stays open. Idempotent. */
  close(): Promise<void> {
    this.#closed.abort(new ClosedError(`ServiceClient for "${this.service}"`, { service: this.service }));
    this.#agents.http.destroy();
    this.#agents.https.destroy();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #call<T extends ServiceResponse | StreamedResponse>(
    method: string,
    path: string,
    options: RequestOptions,
    send: (url: URL, settings: HttpSettings, attempt: Attempt) => Promise<T>,
  ): Promise<T | ServiceResponse> {
    validate('Request', requestOptionsSchema, options);
    const upload = options.body instanceof Readable ? options.body : undefined;
    const uploadFailed = new AbortController();
    upload?.on('error', (error) => uploadFailed.abort(error)); // also while it waits for an instance
    const { signal, unlink } = linkSignals(options.signal, this.#closed.signal, uploadFailed.signal);
    try {
      this.#closed.signal.throwIfAborted();
      const verb = validateMethod(method);
      const target = this.#basePath + validatePath(path);
      const settings = gotOptions(verb, options);
      const answer = await this.#discovery.call(
        this.service,
        async (attempt) => {
          const response = await send(
            urlOf(attempt, target, options.searchParams),
            { ...settings, signal: attempt.signal },
            attempt,
          );
          if (response instanceof ServiceResponse && isServerFailure(response.status)) {
            throw new HttpStatusError(verb, path, response);
          }
          return response;
        },
        { ...this.#callOptions(verb, options), signal },
      );
      if (answer instanceof ServiceResponse && answer.status >= 400)
        throw new HttpStatusError(verb, path, answer);
      return answer;
    } catch (error) {
      upload?.destroy();
      if (options.throwHttpErrors === false && error instanceof HttpStatusError) return error.response;
      throw error;
    } finally {
      unlink();
    }
  }

  #callOptions(method: string, options: RequestOptions): CallOptions {
    const own = this.#options;
    return {
      strategy: own.strategy,
      filter: options.filter ?? own.filter,
      key: options.key,
      deadlineMs: options.deadlineMs ?? own.deadlineMs,
      attemptTimeoutMs: options.attemptTimeoutMs ?? own.attemptTimeoutMs,
      retries: options.body instanceof Readable ? 0 : (options.retries ?? own.retries),
      idempotent: options.idempotent ?? isIdempotent(method),
      classify: (error) => classifyHttpFailure(error, Date.now()),
    };
  }
}

/**
 * Without a timeout of its own, Node's agent overlooks when a server says that it will close an idle connection, and a
 * request sent at that moment is lost. 5 s is what Node's global agent has.
 */
const keptAlive = { keepAlive: true, timeout: 5_000 };

type HttpSettings = Pick<
  OptionsInit,
  'method' | 'headers' | 'json' | 'stringifyJson' | 'form' | 'body' | 'signal'
>;

function gotOptions(method: string, { headers, json, form, body }: RequestOptions): HttpSettings {
  validateHeaderValues('Request', headers);
  if (['GET', 'HEAD'].includes(method) && [json, form, body].some((content) => content !== undefined)) {
    throw new ConfigValidationError('Request', [
      { field: 'method', received: method, expected: 'a method with a body, e.g. POST' },
    ]);
  }
  if (body instanceof Readable && !body.readable) {
    throw new ConfigValidationError('Request', [
      { field: 'body', received: 'a stream that was read or destroyed', expected: 'a stream to read' },
    ]);
  }
  const jsonText = json === undefined ? '' : serialize(json);
  return {
    method: method as Method, // any method is sent as it is; got's type lists the common ones
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    ...(json === undefined ? {} : { json, stringifyJson: () => jsonText }),
    ...(form === undefined ? {} : { form: { ...form } }),
    ...(body === undefined ? {} : { body }),
  };
}

function entriesOf(params: NonNullable<RequestOptions['searchParams']>): [string, string][] {
  if (params instanceof URLSearchParams) return [...params];
  return Object.entries(params).map(([name, value]) => [name, String(value)]);
}

function readResponse(
  { instance, number: attempts }: Attempt,
  status: number,
  headers: IncomingHttpHeaders,
  body: Uint8Array,
): ServiceResponse {
  return new ServiceResponse({ status, headers, body, instance, attempts });
}

/** Once for all attempts, and before one is made: what cannot be sent is no fault of an endpoint. */
function serialize(json: unknown): string {
  const expected = 'what JSON can say';
  let text: unknown;
  try {
    text = JSON.stringify(json);
  } catch (cause) {
    const received = cause instanceof TypeError ? 'circular, or has a bigint' : 'an object that throws';
    throw new ConfigValidationError('Request', [{ field: 'json', received, expected }]);
  }
  if (typeof text === 'string') return text;
  throw requestMistake('json', json, expected); // a function or a symbol
}

/** Node hands the socket of an upgrade to its listeners, got has one, and nobody would ever close it. */
function refuseUpgrade(request: ClientRequest): void {
  request.once('upgrade', (_response, socket) => {
    socket.destroy();
    request.emit('error', new Error('the server upgraded the connection unasked'));
  });
}

/** got's errors carry the request with all its headers to wherever they are logged. */
function hideRequest<E extends Error>(error: E): E {
  if (error instanceof RequestError) Object.defineProperty(error, 'options', { enumerable: false });
  return error;
}

function urlOf({ instance }: Attempt, path: string, searchParams: RequestOptions['searchParams'] = {}): URL {
  const { service, protocol } = instance;
  const endpoint = addressOf(instance);
  if (protocol !== 'http' && protocol !== 'https')
    throw new UnsupportedProtocolError(protocol, { service, endpoint });
  const origin = `${protocol}://${endpoint}`;
  if (!URL.canParse(origin)) throw new UnusableAddressError({ service, endpoint });
  const url = new URL(origin + path);
  for (const [name, value] of entriesOf(searchParams)) url.searchParams.append(name, value);
  return url;
}

function validateMethod(method: unknown): string {
  if (typeof method === 'string' && /^[A-Za-z]{1,32}$/.test(method)) return method.toUpperCase();
  throw requestMistake('method', method, 'an HTTP method such as "GET"');
}

function validatePath(path: unknown): string {
  const isPath = typeof path === 'string' && !/^[a-z][a-z0-9+.-]*:\/\//i.test(path);
  if (!isPath) throw requestMistake('path', path, 'a path such as "/items/1": the host comes from discovery');
  return path === '' || path.startsWith('/') || path.startsWith('?') ? path : `/${path}`;
}

function requestMistake(field: string, received: unknown, expected: string): ConfigValidationError {
  return new ConfigValidationError('Request', [{ field, received: describeValue(received), expected }]);
}
