import { onAbort } from '@sd/core';

/** So many at once; the others wait for their turn. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** @throws what `work` throws, or the reason of the signal while it waits */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const start = (): void => {
        this.#waiting.delete(start);
        forget();
        resolve();
      };
      const forget = onAbort(signal, () => {
        this.#waiting.delete(start);
        reject(signal.reason);
      });
      this.#waiting.add(start);
    });
  }
}
