import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import type { RequestHandler } from './request-handler.ts';

/**
 * A connection of a `Pool`, which may have its next request as soon as an answer has ended. By itself undici says so in the
 * next turn of the event loop, and until then whoever asks again has another connection opened: half of them stand idle,
 * each with a timer that is set and taken back. What undici does before it writes to a connection again is as ever.
 */
export class PromptClient extends Client {
  readonly #origin: URL;
  #isFull = false;

  constructor(origin: URL, options: object) {
    super(origin, options);
    this.#origin = origin;
  }

  /** Hot path. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const hasRoom = super.dispatch(options, new EndingHandler(handler, this));
    this.#isFull = !hasRoom;
    return hasRoom;
  }

  /** Hot path. An answer has ended; undici has to put that down, before anybody hears of it. */
  ended(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    void soon.then(this.#tell);
  }

  readonly #tell = (): void => {
    if (this.closed || this.destroyed) return;
    EventEmitter.prototype.emit.call(this, 'drain', this.#origin, [this]); // its own type knows of no targets
  };
}

const soon = Promise.resolve();

class EndingHandler implements RequestHandler {
  readonly #handler: RequestHandler;
  readonly #client: PromptClient;

  constructor(handler: RequestHandler, client: PromptClient) {
    this.#handler = handler;
    this.#client = client;
  }

  onConnect(abort: (reason?: Error) => void, context?: unknown): void {
    this.#handler.onConnect?.(abort, context);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onBodySent(chunkSize: number, totalBytesSent: number): void {
    this.#handler.onBodySent?.(chunkSize, totalBytesSent);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  onUpgrade(status: number, rawHeaders: Buffer[] | string[] | null, socket: Duplex): void {
    this.#handler.onUpgrade?.(status, rawHeaders, socket);
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    return this.#handler.onHeaders?.(status, rawHeaders, resume, statusText) ?? true;
  }

  onData(chunk: Buffer): boolean {
    return this.#handler.onData?.(chunk) ?? true;
  }

  onComplete(trailers: string[] | null): void {
    this.#client.ended();
    this.#handler.onComplete?.(trailers);
  }

  onError(error: Error): void {
    this.#handler.onError?.(error);
  }
}
