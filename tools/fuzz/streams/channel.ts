import type { Ending, Sink } from './sink.ts';

/** Counts what moves, so that it is known when nothing does. */
export class Traffic {
  readonly #stillMs: number;
  #moved = 0;

  /** @param stillMs how long nothing moves at least, where clients do some things a little later */
  constructor(stillMs: number) {
    this.#stillMs = stillMs;
  }

  move(): void {
    this.#moved += 1;
  }

  /** Client and server are in one process: when nothing has moved for some turns of its loop, nothing is under way. */
  async quiet(): Promise<void> {
    let moved = -1;
    let since = 0;
    for (let still = 0; still < stillTurns || performance.now() - since < this.#stillMs; still += 1) {
      if (moved !== this.#moved) {
        still = 0;
        since = performance.now();
      }
      moved = this.#moved;
      await turn();
    }
  }
}

const stillTurns = 12;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sends bytes in pieces, one in a turn, so that they also come in pieces. */
export class Channel {
  readonly #sink: Sink;
  readonly #traffic: Traffic;
  readonly #pieces: readonly number[];
  readonly #waiting: Buffer[] = [];
  #piece = 0;
  #isPumping = false;
  #end: Ending | undefined;

  constructor(sink: Sink, traffic: Traffic, pieces: readonly number[]) {
    this.#sink = sink;
    this.#traffic = traffic;
    this.#pieces = pieces;
  }

  get isOpen(): boolean {
    return this.#end === undefined && !this.#sink.isGone;
  }

  send(bytes: Buffer): void {
    if (!this.isOpen || bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#pump();
  }

  /** When all is sent. */
  end(how: Ending): void {
    if (!this.isOpen) return;
    this.#end = how;
    this.#pump();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#traffic.move();
    setImmediate(() => {
      this.#isPumping = false;
      if (this.#sink.isGone) return;
      const next = this.#next();
      if (next !== undefined) this.#sink.write(next);
      if (this.#waiting.length > 0) this.#pump();
      else if (this.#end !== undefined) this.#sink.end(this.#end);
    });
  }

  #next(): Buffer | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    // Beyond some thousand pieces nothing new is to be seen.
    const size = this.#piece < mostPieces ? this.#pieces[this.#piece % this.#pieces.length] : undefined;
    this.#piece += 1;
    const piece = first.subarray(0, size ?? first.length);
    if (piece.length === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(piece.length);
    return piece;
  }
}

const mostPieces = 3_000;
