import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';

type Body = Dispatcher.DispatchOptions['body'];

/** A body that can be read once, and says what became of that. */
export interface OnceBody {
  /** For undici. */
  readonly body: NonNullable<Body>;
  /** Whether anybody has begun to read it. */
  readonly isBegun: boolean;
  /** What reading it failed with, which is no fault of an endpoint. */
  readonly error: unknown;
}

/** Undefined: there is none, or it can be sent as often as one likes. */
export function onceBody(body: unknown): OnceBody | undefined {
  if (body === null || body === undefined || typeof body !== 'object') return undefined;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer || body instanceof Blob) return undefined;
  if (Object.prototype.toString.call(body) === '[object FormData]') return undefined;
  return isStream(body) ? new OnceStream(body) : isIterable(body) ? new OnceIterable(body) : undefined;
}

class OnceStream implements OnceBody {
  readonly body: Readable;

  constructor(body: Readable) {
    this.body = body;
  }

  get isBegun(): boolean {
    return Readable.isDisturbed(this.body);
  }

  get error(): unknown {
    return this.body.errored ?? undefined;
  }
}

/** The body of a `fetch` is one, whatever it was before. */
class OnceIterable implements OnceBody, AsyncIterable<unknown> {
  isBegun = false;
  error: unknown;
  readonly #chunks: Chunks;

  constructor(chunks: Chunks) {
    this.#chunks = chunks;
  }

  get body(): NonNullable<Body> {
    return taken(this);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator {
    this.isBegun = true;
    try {
      yield* this.#chunks;
    } catch (error) {
      this.error = error;
      throw error;
    }
  }
}

/** undici takes iterables, which its types do not say. */
const taken = (iterable: unknown): NonNullable<Body> => iterable as NonNullable<Body>;

type Chunks = AsyncIterable<unknown> | Iterable<unknown>;

function isStream(body: object): body is Readable {
  return 'pipe' in body && typeof body.pipe === 'function';
}

function isIterable(body: object): body is Chunks {
  return Symbol.asyncIterator in body || Symbol.iterator in body;
}
