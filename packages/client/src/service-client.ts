import {
  ClosedError,
  compileServiceFilter,
  onAbort,
  SlotList,
  validate,
  validateServiceName,
} from '@sd/core';
import type { Attempt, CallOptions, DiscoveryClient, PendingCall } from '@sd/discovery';
import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { clientOptionsSchema, madeTransportSchema, type ServiceClientOptions } from './client-options.ts';
import { deadlineHeader } from './deadline-header.ts';
import { HttpStatusError } from './errors.ts';
import { GotTransport } from './got-transport.ts';
import { isServerFailure } from './http-failure.ts';
import {
  contentOf,
  lowerCased,
  normalizeBasePath,
  resolvePath,
  urlOf,
  validateMethod,
  type Content,
} from './http-request.ts';
import type { HttpTransport, TransportAnswer, TransportRequest } from './http-transport.ts';
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

/** HTTP calls to one service, each to an instance that can take it, repeated on another one where that is safe. */
export class ServiceClient implements AsyncDisposable {
  readonly service: string;
  readonly #discovery: DiscoveryClient;
  readonly #options: ServiceClientOptions;
  readonly #basePath: string;
  readonly #deadlineHeader: string | false;
  readonly #headers: RequestHeaders;
  readonly #transport: HttpTransport;
  readonly #ownsTransport: boolean;
  /** What to end when the client closes. */
  readonly #calls = new SlotList<PendingCall<unknown>>();
  readonly #bodies = new Set<Readable>();
  readonly #usual = new Map<string, CallOptions>();
  #isClosed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: ServiceClientOptions) {
    validate('ServiceClient', clientOptionsSchema, options);
    validateHeaderValues('ServiceClient', options.headers);
    this.service = validateServiceName(options.service);
    this.#discovery = options.discovery;
    this.#options = options;
    this.#basePath = normalizeBasePath(options.basePath);
    const { deadlineHeader: header = deadlineHeader } = options;
    this.#deadlineHeader = header === false ? false : header.toLowerCase();
    if (options.strategy !== undefined) options.discovery.loadBalancers.get(options.strategy);
    if (options.filter !== undefined) compileServiceFilter(options.filter);
    this.#headers = lowerCased(options.headers);
    const { transport, discovery } = options;
    this.#ownsTransport = typeof transport !== 'object';
    this.#transport =
      typeof transport === 'function' ? made(transport(discovery)) : (transport ?? new GotTransport(options));
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
  request(method: string, path: string, options: RequestOptions = noOptions): PendingResponse {
    const answer = this.#call(method, path, options, (request, attempt) =>
      this.#transport.exchange(request, attempt).then((given) => readResponse(attempt, given, given.body)),
    );
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
      async (request, attempt) => {
        const given = await this.#transport.open(request, attempt);
        const { status, headers, body } = given;
        if (status >= 400) {
          const bytes = await buffer(body);
          body.destroy(); // it may still be sending
          return readResponse(attempt, given, bytes);
        }
        attempt.status = status;
        attempt.keepUntil(this.#end(body, options.signal));
        const { instance, number: attempts } = attempt;
        return { status, headers, body, instance, attempts };
      },
      true,
    );
    if (!(answer instanceof ServiceResponse)) return answer;
    const { status, headers, instance, attempts } = answer;
    return { status, headers, body: Readable.from([answer.body]), instance, attempts };
  }

  /** Cancels calls under way and closes all connections. The `DiscoveryClient` stays open. Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#calls) call.cancel(this.#closedError());
    for (const body of this.#bodies) body.destroy(this.#closedError());
    return this.#ownsTransport ? this.#transport.close() : Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #call<T extends ServiceResponse | StreamedResponse>(
    method: string,
    path: string,
    options: RequestOptions,
    send: (request: TransportRequest, attempt: Attempt) => Promise<T>,
    isStream = false,
  ): Promise<T | ServiceResponse> {
    const body: unknown = Reflect.get(Object(options), 'body'); // they are not checked yet
    const upload = body instanceof Readable ? body : undefined;
    let call: PendingCall<T> | undefined;
    upload?.on('error', (error) => call?.cancel(error)); // also while it waits for an instance
    try {
      call = this.#begin(method, path, options, send, isStream);
    } catch (error) {
      upload?.destroy();
      return Promise.reject(error); // as it was thrown
    }
    const begun = call;
    const slot = this.#calls.add(begun);
    return begun.result.then(
      (answer) => {
        this.#calls.remove(slot);
        if (answer.status < 400 || !(answer instanceof ServiceResponse)) return answer;
        upload?.destroy();
        if (options.throwHttpErrors === false) return answer;
        throw new HttpStatusError(method.toUpperCase(), path, answer);
      },
      (error: unknown) => {
        this.#calls.remove(slot);
        upload?.destroy();
        if (options.throwHttpErrors === false && error instanceof HttpStatusError) return error.response;
        throw error;
      },
    );
  }

  #begin<T extends ServiceResponse | StreamedResponse>(
    method: string,
    path: string,
    options: RequestOptions,
    send: (request: TransportRequest, attempt: Attempt) => Promise<T>,
    isStream: boolean,
  ): PendingCall<T> {
    if (options !== noOptions) validate('Request', requestOptionsSchema, options);
    if (this.#isClosed) throw this.#closedError();
    const verb = validateMethod(method);
    const target = resolvePath(this.#basePath, path);
    const content = options === noOptions ? noContent : contentOf(verb, options);
    const check = (response: T): T => {
      if (response.status < 400 || !(response instanceof ServiceResponse)) return response;
      if (isServerFailure(response.status)) throw new HttpStatusError(verb, path, response);
      return response;
    };
    return this.#discovery.begin(
      this.service,
      (attempt) => {
        const url = urlOf(attempt, target, options.searchParams);
        const headers = this.#headersOf(content, attempt);
        return send({ method: verb, url, headers, body: content.body }, attempt).then(check);
      },
      this.#callOptions(verb, options, isStream),
    );
  }

  /** Rejects when the instance broke it off; whoever reads it may also have had enough. */
  async #end(body: Readable, signal: AbortSignal | undefined): Promise<void> {
    // Of its own: nobody may ever read a body that is empty, and the caller's signal would keep it.
    const stop = new AbortController();
    const forget = onAbort(signal, () => stop.abort(signal?.reason));
    addAbortSignal(stop.signal, body);
    this.#bodies.add(body);
    try {
      await finished(body, { writable: false });
    } catch (error) {
      if (!this.#isClosed && !isReaders(error)) throw error;
    } finally {
      forget();
      this.#bodies.delete(body);
    }
  }

  #closedError(): ClosedError {
    return new ClosedError(`ServiceClient for "${this.service}"`, { service: this.service });
  }

  #headersOf({ headers: own }: Content, attempt: Attempt): RequestHeaders {
    const headers: Record<string, string | undefined> = { ...this.#headers, ...attempt.headers, ...own };
    const name = this.#deadlineHeader;
    const leftMs = attempt.remainingMs();
    // Who waits for ever has nothing to say.
    if (name !== false && leftMs < Infinity) headers[name] ??= String(Math.floor(leftMs));
    return headers;
  }

  /** Requests without options of their own have the same ones each time. */
  #callOptions(method: string, options: RequestOptions, isStream: boolean): CallOptions {
    if (options !== noOptions) return this.#makeCallOptions(method, options, isStream);
    const key = isStream ? `stream ${method}` : method;
    let known = this.#usual.get(key);
    if (known === undefined) {
      known = Object.freeze(this.#makeCallOptions(method, options, isStream));
      this.#usual.set(key, known);
    }
    return known;
  }

  #makeCallOptions(method: string, options: RequestOptions, isStream: boolean): CallOptions {
    const own = this.#options;
    return {
      strategy: own.strategy,
      filter: options.filter ?? own.filter,
      key: options.key,
      deadlineMs: options.deadlineMs ?? own.deadlineMs,
      attemptTimeoutMs: options.attemptTimeoutMs ?? own.attemptTimeoutMs,
      retries: options.body instanceof Readable ? 0 : (options.retries ?? own.retries),
      // A stream is begun once: of two that were, one would have to be thrown away with what it has sent.
      hedge: isStream ? false : (options.hedge ?? own.hedge),
      idempotent: options.idempotent ?? isIdempotent(method),
      method,
      signal: options.signal,
      classify: this.#transport.classify,
    };
  }
}

const noOptions: RequestOptions = Object.freeze({});
const noContent: Content = Object.freeze({ headers: {}, body: undefined });

/**
 * Whether a body was destroyed by whoever reads it: with `destroy()` or `for await`, by `pipeline` when its other end has
 * closed, or by a signal. What a connection says has other codes.
 */
function isReaders(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === 'ABORT_ERR' || code.startsWith('ERR_STREAM_');
}

function made(transport: HttpTransport): HttpTransport {
  validate('ServiceClient', madeTransportSchema, { transport });
  return transport;
}

function readResponse(
  attempt: Attempt,
  { status, headers }: TransportAnswer<unknown>,
  body: Uint8Array,
): ServiceResponse {
  const { instance, number: attempts } = attempt;
  attempt.status = status;
  return new ServiceResponse({ status, headers, body, instance, attempts });
}
