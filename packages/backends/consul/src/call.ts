import { EventEmitter } from 'node:events';
import type { ClientRequest, RequestOptions, Agent } from 'node:http';

/** Longest answer that is read, in bytes. */
const maxAnswerBytes = 256 * 1024 * 1024;

export interface CallOptions {
  readonly agent: Agent;
  /** Added to those that the library knows. */
  readonly query: Readonly<Record<string, string>>;
  /** Added to the body, where there is one. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * One request of the `consul` library, which takes it for its `ctx`: "cancel" ends it, and answers come with their
 * response. It mends what the library and its transport, papi, lack: namespaces, weights, an agent for each request, a
 * limit to answers, and an end for those that were cut off, for which papi would wait for ever.
 */
export class Call extends EventEmitter {
  readonly includeResponse = true;
  readonly #options: CallOptions;
  #request: ClientRequest | undefined;
  #isAnswered = false;

  constructor(options: CallOptions) {
    super();
    this.#options = options;
  }

  cancel(): void {
    this.emit('cancel');
  }

  /** It failed on a connection from before, which the server may have closed already: it is worth another try. */
  get wasOnOldConnection(): boolean {
    return this.#request?.reusedSocket === true && !this.#isAnswered;
  }

  /** @internal */
  complete({ query, body }: PapiOptions): void {
    Object.assign(query, this.#options.query);
    if (typeof body === 'object' && body !== null) Object.assign(body, this.#options.fields);
  }

  /** @internal */
  through(transport: Transport): Transport {
    return {
      request: (options) => {
        const request = transport.request({ ...options, agent: this.#options.agent });
        this.#request = request;
        request.once('response', (response) => {
          this.#isAnswered = true;
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > maxAnswerBytes) request.destroy(new Error(`longer than ${maxAnswerBytes} bytes`));
          });
          response.on('error', (error) => request.emit('error', error));
        });
        return request;
      },
    };
  }
}

/** Lets calls mend the requests of this client. */
export function mendRequests(client: object): void {
  if (!isExtensible(client))
    throw new Error('This version of the "consul" package is not one that is known.');
  client._ext('onCreate', (request, next) => {
    if (request.ctx instanceof Call) request.ctx.complete(request.opts);
    next();
  });
  client._ext('onRequest', (request, next) => {
    if (request.ctx instanceof Call) request.transport = request.ctx.through(request.transport);
    next();
  });
}

/** What `consul` is derived from; its types do not say so. */
interface Extensible {
  _ext(event: 'onCreate' | 'onRequest', hook: (request: PapiRequest, next: () => void) => void): void;
}

interface PapiRequest {
  readonly ctx?: unknown;
  readonly opts: PapiOptions;
  transport: Transport;
}

interface PapiOptions {
  readonly query: Record<string, unknown>;
  readonly body?: unknown;
}

interface Transport {
  request(options: RequestOptions): ClientRequest;
}

const isExtensible = (client: object): client is Extensible => '_ext' in client;
