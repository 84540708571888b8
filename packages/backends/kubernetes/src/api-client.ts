import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { abortable, sleep, TimeLimit, type Clock, type Rng } from '@sd/core';
import type { Access, CachedAccess } from './access.ts';
import { networkError, refusalError, unavailable, type Question } from './kubernetes-errors.ts';
import { readLines } from './line-reader.ts';

export interface ApiClientOptions {
  readonly access: CachedAccess;
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** A question, as the URL says it. */
export interface ApiRequest extends Question {
  readonly parameters: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface StreamListener {
  /** The server has accepted. */
  readonly onOpen: () => void;
  /** Must not throw. */
  readonly onLine: (line: string) => void;
}

interface Answer {
  readonly response: IncomingMessage;
  readonly access: Access;
}

/** No page of a list is larger, in bytes. */
const largestBody = 134_217_728;
/** However long a pause the server asks for, in milliseconds. */
const longestPauseMs = 60_000;

/** EndpointSlices of an API server, asked for with credentials, deadlines, and the pauses that it wants. */
export class ApiClient {
  readonly #options: ApiClientOptions;
  // TCP asks for a sign of life as well: a host that is gone is noticed long before a watch counts as silent.
  readonly #https = new HttpsAgent({ keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 2 });
  readonly #http = new HttpAgent({ keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 2 });
  /** The server has asked not to be asked before. */
  #notBefore = -Infinity;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  async namespace(signal: AbortSignal): Promise<string> {
    return (await abortable(this.#options.access.get(), signal)).namespace ?? 'default';
  }

  /** The body of the answer. */
  get(request: ApiRequest): Promise<string> {
    return this.#inTime(request, async (limited) => {
      const { response, access } = await this.#open(limited);
      try {
        const body = await readBody(response, largestBody);
        return (response.headers['content-encoding'] === 'gzip' ? await unzip(body) : body).toString();
      } catch (error) {
        limited.signal.throwIfAborted();
        throw networkError(error, access, request);
      }
    });
  }

  /** Hands on each line of an answer that is not meant to end; resolves when it ends all the same. */
  stream(request: ApiRequest, { onOpen, onLine }: StreamListener): Promise<void> {
    const { clock, idleMs } = this.#options;
    return this.#inTime(request, async (limited, limit) => {
      const { response } = await this.#open(limited);
      limit.lift();
      onOpen();
      await readLines(response, { clock, idleMs, signal: request.signal, onLine });
    });
  }

  close(): void {
    this.#https.destroy();
    this.#http.destroy();
  }

  async #inTime<T>(
    request: ApiRequest,
    work: (limited: ApiRequest, limit: TimeLimit) => Promise<T>,
  ): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const { service, signal } = request;
    signal.throwIfAborted();
    const tooLate = () => unavailable(`the API server did not answer within ${timeoutMs} ms`, { service });
    const limit = new TimeLimit(clock, timeoutMs, tooLate, signal);
    try {
      return await work({ ...request, signal: limit.signal }, limit);
    } finally {
      limit.end();
    }
  }

  /** An answer that is 200. A refusal that may be over at once is put to the test, once. */
  async #open(request: ApiRequest): Promise<Answer> {
    const { access: source, clock } = this.#options;
    const { signal } = request;
    for (let isFirst = true; ; isFirst = false) {
      await this.#pause(request);
      const access = await abortable(source.get(), signal);
      const response = await this.#send(request, access);
      const { statusCode: status = 0, socket } = response;
      if (status === 200) return { response, access };
      const body = await readBody(response, 65_536).catch(() => '');
      signal.throwIfAborted();
      // Behind a balancer another server may be well, and this connection would lead to the same one for ever.
      if (status >= 500) socket.destroy();
      if (this.#wantsPause(response) && isFirst) continue;
      if (status === 401 && isFirst) {
        const { headers, tls } = await abortable(source.renew(access), signal);
        if (headers.Authorization !== access.headers.Authorization || tls.cert !== access.tls.cert) continue;
      }
      throw refusalError({ status, body: body.toString(), access, now: clock.now() }, request);
    }
  }

  async #send(request: ApiRequest, access: Access): Promise<IncomingMessage> {
    for (;;) {
      const sent = this.#sendOnce(request, access);
      try {
        // A proxy may take as long as it wants to connect, and Node says nothing of an end before.
        return await abortable(sent.response, request.signal);
      } catch (error) {
        request.signal.throwIfAborted();
        // The server closed a connection that was kept just when we used it again.
        if (sent.isReused()) continue;
        throw networkError(error, access, request);
      }
    }
  }

  #sendOnce({ verb, namespace, parameters, signal }: ApiRequest, { server, headers, tls, agent }: Access) {
    const isHttps = server.protocol === 'https:';
    const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
    const path = `${server.pathname.replace(/\/$/, '')}/apis/discovery.k8s.io/v1${scope}/endpointslices`;
    const query = new URLSearchParams({ ...(verb === 'watch' ? { watch: '1' } : {}), ...parameters });
    const options = {
      signal,
      ...tls,
      agent: agent ?? (isHttps ? this.#https : this.#http),
      headers: {
        Accept: 'application/json',
        // Events must come as they happen, and not when a buffer is full.
        ...(verb === 'list' ? { 'Accept-Encoding': 'gzip' } : {}),
        'User-Agent': 'sd-kubernetes',
        ...headers,
      },
    };
    let request: ClientRequest | undefined;
    // A token that no header can have, or a key of another certificate, throws here.
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(`${path}?${query.toString()}`, server);
      request = (isHttps ? httpsRequest : httpRequest)(url, options);
      request.on('response', resolve);
      request.on('error', reject);
      request.end();
    });
    return { response, isReused: () => request?.reusedSocket === true };
  }

  async #pause({ signal, service }: ApiRequest): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const leftMs = this.#notBefore - clock.monotonic();
    if (leftMs <= 0) return;
    if (leftMs >= timeoutMs) {
      const seconds = Math.ceil(leftMs / 1_000);
      throw unavailable(`the API server has too much to do and wants a pause of ${seconds} s`, { service });
    }
    await sleep(clock, leftMs, { signal, keepAlive: true });
  }

  /** Takes note of it for all requests; all who were told the same do not come back together. */
  #wantsPause({ headers }: IncomingMessage): boolean {
    const seconds = Number(headers['retry-after']);
    if (!(seconds > 0)) return false;
    const { clock, rng } = this.#options;
    const pauseMs = Math.min(seconds * 1_000 * (1 + rng() / 2), longestPauseMs);
    this.#notBefore = Math.max(this.#notBefore, clock.monotonic() + pauseMs);
    return true;
  }
}

async function readBody(response: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const unzip = (body: Buffer): Promise<Buffer> => promisify(gunzip)(body, { maxOutputLength: largestBody });
