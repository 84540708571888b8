import type { Endpoint } from '@sd/load-balancers';

/**
 * Good answers that nobody has looked at yet, in their order. What is remembered of an answer lies in many places, and
 * one by one, with all that a request does in between, answers would wait for each of these places to come from memory.
 */
export class AnswerLog {
  readonly #endpoints: (Endpoint | undefined)[] = [];
  readonly #latencies = new Float64Array(most);
  readonly #times = new Float64Array(most);
  #count = 0;

  get isFull(): boolean {
    return this.#count === most;
  }

  /** Hot path. Not when it is full. */
  add(endpoint: Endpoint, latencyMs: number, now: number): void {
    this.#endpoints[this.#count] = endpoint;
    this.#latencies[this.#count] = latencyMs;
    this.#times[this.#count] = now;
    this.#count += 1;
  }

  /** Tells them all, and has none. */
  drain(tell: (endpoint: Endpoint, latencyMs: number, now: number) => void): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    for (let index = 0; index < count; index += 1) {
      const endpoint = this.#endpoints[index];
      if (endpoint !== undefined) tell(endpoint, this.#latencies[index] ?? 0, this.#times[index] ?? 0);
    }
    this.#endpoints.fill(undefined); // those that have left shall not live on here
  }
}

const most = 64;
