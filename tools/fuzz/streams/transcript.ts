import { Messages, type Dialect } from './dialect.ts';
import type { Frame } from './recording.ts';

/** Both sides of one connection, or of one stream within it. */
export interface Conversation {
  asked(chunk: Buffer): void;
  said(chunk: Buffer): void;
}

/** What servers say, and what it answers. */
export class Transcript {
  readonly frames: Frame[] = [];
  readonly #dialect: Dialect;
  #connections = 0;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** @param path of the stream of HTTP/2 */
  conversation(path = ''): Conversation {
    const connection = this.#connections;
    this.#connections += 1;
    const dialect = this.#dialect;
    const asked: { readonly key: string; readonly id: number | undefined }[] = [];
    const requests = new Messages(dialect, 'client');
    const answers = new Messages(dialect, 'server');
    const requestTo = (message: Buffer, turn: number): string | undefined => {
      if (dialect.isPush?.(message, turn) === true) return undefined;
      const id = dialect.idOf?.(message, turn);
      const at = id === undefined ? 0 : asked.findIndex((each) => each.id === id);
      return asked.splice(at, 1)[0]?.key;
    };
    return {
      asked(chunk) {
        for (const { message, turn } of requests.push(chunk))
          asked.push({ key: dialect.keyOf(message, turn, path), id: dialect.idOf?.(message, turn) });
      },
      said: (chunk) => {
        for (const { message, turn } of answers.push(chunk))
          this.frames.push({ connection, to: requestTo(message, turn), bytes: Buffer.from(message) });
      },
    };
  }
}
