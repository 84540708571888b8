import type { Clock } from '@sd/core';
import type { Connection } from './connection.ts';
import { WatchStream } from './watch-stream.ts';

/** The one stream that all watches of a process share; others only live on, where a token has run out. */
export class WatchStreams {
  readonly #options: { readonly connection: Connection; readonly timeoutMs: number; readonly clock: Clock };
  #current: WatchStream | undefined;
  #opening: Promise<WatchStream> | undefined;

  constructor(options: {
    readonly connection: Connection;
    readonly timeoutMs: number;
    readonly clock: Clock;
  }) {
    this.#options = options;
  }

  async get(): Promise<WatchStream> {
    if (this.#current?.isOpen === true) return this.#current;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** It takes no more watches, as etcd no longer trusts its token. Those that it has go on. */
  retire(stream: WatchStream): void {
    if (this.#current !== stream) return;
    this.#current = undefined;
    this.#options.connection.renewToken();
  }

  async #open(): Promise<WatchStream> {
    const stream = new WatchStream(await this.#options.connection.watch(), {
      ...this.#options,
      onEnd: (ended) => {
        if (this.#current === ended) this.#current = undefined;
      },
    });
    this.#current = stream;
    return stream;
  }
}
