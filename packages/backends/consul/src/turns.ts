/**
 * Lets so many go on at once; the others wait in order, and their time limits begin when it is their turn. Who is given
 * up for lack of an answer takes those behind along: they would only wait for the same.
 */
export class Turns {
  readonly #waiting = new Set<{ readonly go: () => void; readonly fail: (error: unknown) => void }>();
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Calls `go` when it is its turn, at once or later, or else `fail`. @returns how to end the waiting, or the turn */
  take(go: () => void, fail: (error: unknown) => void): () => void {
    let state: 'waiting' | 'going' | 'over' = 'waiting';
    const entry = {
      go: (): void => {
        state = 'going';
        this.#waiting.delete(entry);
        go();
      },
      fail,
    };
    if (this.#free > 0) {
      this.#free -= 1;
      entry.go();
    } else {
      this.#waiting.add(entry);
    }
    return () => {
      if (state === 'waiting') this.#waiting.delete(entry);
      if (state === 'going') this.#next();
      state = 'over';
    };
  }

  /** All who wait fail with this. */
  fail(error: unknown): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const entry of waiting) entry.fail(error);
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) this.#free += 1;
    else first.go();
  }
}
