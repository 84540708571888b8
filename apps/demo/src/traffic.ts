import { Samples, type Reading } from './samples.ts';

/** What one instance was asked, and what became of it. */
export class Traffic {
  readonly #samples = new Samples();
  #requests = 0;
  #inFlight = 0;
  #cutOff = 0;
  #late = 0;

  get requests(): number {
    return this.#requests;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests whose answer did not get out completely. */
  get cutOff(): number {
    return this.#cutOff;
  }

  /** Requests that came after the server had stopped accepting. */
  get late(): number {
    return this.#late;
  }

  /** A request came. @returns what to call when its connection or its answer has ended */
  begin({ late }: { readonly late: boolean }): (end: { readonly complete: boolean }) => void {
    const startedAt = performance.now();
    this.#requests += 1;
    this.#inFlight += 1;
    if (late) this.#late += 1;
    return ({ complete }) => {
      const now = performance.now();
      this.#inFlight -= 1;
      if (complete) this.#samples.add(now - startedAt, now);
      else this.#cutOff += 1;
    };
  }

  read(): Reading {
    return this.#samples.read(performance.now());
  }
}
