import { EventEmitter } from 'node:events';
import { Client, type Dispatcher } from 'undici';

/**
 * A connection of a `Pool`, which may have its next request as soon as an answer is handed on. By itself undici says so in the
 * next turn of the event loop, and until then whoever asks again has another connection opened: half of them stand idle,
 * each with a timer that is set and taken back. What undici does before it writes to a connection again is as ever.
 */
export class PromptClient extends Client {
  readonly #origin: URL;

  constructor(origin: URL, options: object) {
    super(origin, options);
    this.#origin = origin;
  }

  /** Hot path. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const hasRoom = super.dispatch(options, handler);
    if (!hasRoom && isPrompt(handler)) handler.filled = this;
    return hasRoom;
  }

  /** Hot path. An answer has ended, undici has put that down, and nobody who waited for it has heard of it. */
  ended(): void {
    if (this.closed || this.destroyed) return;
    EventEmitter.prototype.emit.call(this, 'drain', this.#origin, [this]); // its own type knows of no targets
  }
}

/** Of a request that says when its answer has ended. */
export interface PromptHandler {
  /** The connection that has no room for more until then. */
  filled: PromptClient | undefined;
}

const isPrompt = (handler: object): handler is PromptHandler => 'filled' in handler;
