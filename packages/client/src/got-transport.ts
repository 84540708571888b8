import { ConfigValidationError } from '@sd/core';
import type { Attempt, FailureClassifier } from '@sd/discovery';
import got, {
  RequestError,
  type Got,
  type HttpsOptions,
  type Method,
  type PlainResponse,
  type Request,
} from 'got';
import { once } from 'node:events';
import { Agent as HttpAgent, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { classifyHttpFailure } from './http-failure.ts';
import type { HttpTransport, TransportAnswer, TransportRequest } from './http-transport.ts';

export interface GotTransportOptions {
  readonly connectTimeoutMs?: number | undefined;
  readonly https?: HttpsOptions | undefined;
}

export class GotTransport implements HttpTransport {
  readonly classify: FailureClassifier = (error) => classifyHttpFailure(error, Date.now());
  readonly #agents = { http: new HttpAgent(keptAlive), https: new HttpsAgent(keptAlive) };
  readonly #got: Got;

  /** @throws {ConfigValidationError} wrong https options */
  constructor({ connectTimeoutMs = 1_000, https }: GotTransportOptions) {
    const limitMs = Math.min(connectTimeoutMs, longestMs);
    try {
      this.#got = got.extend({
        retry: { limit: 0 }, // got would repeat on the same endpoint
        throwHttpErrors: false,
        followRedirect: staysAtOrigin,
        hooks: { beforeError: [hideRequest] },
        timeout: { lookup: limitMs, connect: limitMs, secureConnect: limitMs },
        agent: this.#agents,
        ...(https === undefined ? {} : { https }),
      });
    } catch (error) {
      // got knows its https options; its message names an option or a type, never the value, which may be a key.
      const received = error instanceof Error ? error.message : 'refused by got';
      const expected = "got's https options";
      throw new ConfigValidationError('ServiceClient', [{ field: 'https', received, expected }]);
    }
  }

  exchange(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Uint8Array>> {
    return readToEnd(this.#send(request, attempt));
  }

  async open(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Readable>> {
    const body = this.#send(request, attempt);
    const [{ statusCode: status, headers }] = (await once(body, 'response')) as [PlainResponse];
    return { status, headers, body };
  }

  close(): Promise<void> {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
    return Promise.resolve();
  }

  /** As a stream in any case: got's promises cost half as much again. */
  #send({ method, url, headers, body }: TransportRequest, attempt: Attempt): Request {
    const isPlain = method === 'GET' && body === undefined;
    const request = this.#got.stream(url, isPlain ? undefined : settingsOf(method, body));
    attempt.onStop(() => request.destroy());
    // An upload may fail after the answer was read to its end, when nobody else listens.
    request.on('error', hideRequest);
    request.on('request', refuseUpgrade);
    // Given as an option they would be read, merged and copied.
    Object.assign(request.options.headers, headers);
    if (body === undefined) request.end();
    if (body instanceof Readable) endWith(body, request);
    return request;
  }
}

/**
 * Without a timeout of its own, Node's agent overlooks when a server says that it will close an idle connection, and a
 * request sent at that moment is lost. 5 s is what Node's global agent has.
 */
const keptAlive = { keepAlive: true, timeout: 5_000 };

/** 24 days; Node fires a longer timer at once. */
const longestMs = 2_147_483_647;

/** got's type of methods lists the common ones. */
function settingsOf(method: string, body: TransportRequest['body']) {
  return {
    method: method as Method,
    ...(body === undefined ? {} : { body }),
    ...(body instanceof Readable ? { followRedirect: leavesBodyOut } : {}),
  };
}

/** Resolves when the answer has been read to its end. */
function readToEnd(request: Request): Promise<TransportAnswer<Uint8Array>> {
  return new Promise((resolve, reject) => {
    let head: PlainResponse;
    const chunks: Buffer[] = [];
    request
      .once('error', reject)
      .once('response', (response: PlainResponse) => (head = response))
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .once('end', () => {
        request.destroy(); // it may still be sending
        const body = Buffer.concat(chunks); // a lone chunk, too: it may be a view on much more
        resolve({ status: head.statusCode, headers: head.headers, body });
      });
  });
}

/** got's errors carry the request with all its headers to wherever they are logged. */
function hideRequest<E extends Error>(error: E): E {
  if (error instanceof RequestError) Object.defineProperty(error, 'options', { enumerable: false });
  return error;
}

/**
 * A body that is destroyed without an error leaves got waiting for the rest of it. The error is the body's own: it has no
 * code, as the instance is not to blame. Once there is an answer, got itself destroys the body.
 */
function endWith(body: Readable, request: Request): void {
  body.once('close', () => {
    if (body.readableEnded || request.response !== undefined) return;
    request.emit('error', new Error('The body was destroyed before its end'));
    request.destroy();
  });
}

/** Node hands the socket of an upgrade to its listeners, got has one, and nobody would ever close it. */
function refuseUpgrade(request: ClientRequest): void {
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    request.emit('error', new Error('the server upgraded the connection unasked'));
  });
}

/** Of a stream, got would send on what is left of it, and that twice. */
const leavesBodyOut = (response: PlainResponse): boolean =>
  response.statusCode === 303 && staysAtOrigin(response);

/** Another origin was not discovered, and is not meant to see our headers. */
function staysAtOrigin({ url, headers }: PlainResponse): boolean {
  const { location } = headers;
  if (location === undefined) return false; // got asks of each answer
  return URL.canParse(location, url) && new URL(location, url).origin === new URL(url).origin;
}
