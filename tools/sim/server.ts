import type { Rng } from '@sd/core';
import type { Outcome } from '@sd/load-balancers';
import type { Simulation } from './simulation.ts';

export interface ServerOptions {
  /** Requests worked on at once; more wait in a queue. Default: any number. */
  readonly workers?: number | undefined;
  /** Requests that may wait; more are refused at once as `overload`. Default: any number. */
  readonly queue?: number | undefined;
  /** Milliseconds of work for a request that begins at `time`. */
  readonly serviceMs: (time: number, rng: Rng) => number;
  /** What becomes of a request that begins at `time`. Default: `ok`. */
  readonly outcome?: ((time: number, rng: Rng) => Outcome) | undefined;
}

/** A server that works on some requests at once and lets others wait. */
export class Server {
  readonly #simulation: Simulation;
  readonly #options: ServerOptions;
  readonly #rng: Rng;
  readonly #waiting: ((outcome: Outcome) => void)[] = [];
  #working = 0;
  /** Requests that came, whatever became of them. */
  requests = 0;

  constructor(simulation: Simulation, options: ServerOptions) {
    this.#simulation = simulation;
    this.#options = options;
    this.#rng = simulation.rng();
  }

  /** Calls `answer` once. */
  serve(answer: (outcome: Outcome) => void): void {
    this.requests += 1;
    const { workers = Infinity, queue = Infinity } = this.#options;
    if (this.#working < workers) this.#work(answer);
    else if (this.#waiting.length < queue) this.#waiting.push(answer);
    else answer('overload');
  }

  #work(answer: (outcome: Outcome) => void): void {
    const { serviceMs, outcome = () => 'ok' } = this.#options;
    const begins = this.#simulation.now();
    this.#working += 1;
    this.#simulation.setTimer(
      () => {
        this.#working -= 1;
        answer(outcome(begins, this.#rng));
        const next = this.#waiting.shift();
        if (next !== undefined) this.#work(next);
      },
      serviceMs(begins, this.#rng),
    );
  }
}

/** Work that takes `mean` milliseconds on average, exponentially distributed: what queueing theory calls M. */
export function exponential(mean: number, rng: Rng): number {
  return -mean * Math.log(1 - rng());
}
