/**
 * A stream that keeps only its newest value: a slow reader skips what came in between and memory stays bounded.
 * For one reader; values pushed after its end are dropped.
 */
export class Latest<T> implements AsyncIterable<T> {
  #pending: { readonly value: T } | undefined;
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(value: T): void {
    if (this.#end !== undefined) return;
    this.#pending = { value };
    this.#wake?.();
  }

  /** Ends the stream after the pending value. Only the first end counts. */
  end(): void {
    this.#finish({});
  }

  /** Ends the stream with an error after the pending value. Only the first end counts. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const pending = this.#pending;
        this.#pending = undefined;
        if (pending !== undefined) {
          yield pending.value;
        } else if (this.#end !== undefined) {
          if ('error' in this.#end) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.end();
    }
  }
}
