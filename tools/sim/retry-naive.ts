import type { Outcome } from '@sd/load-balancers';
import { exponential, type Server } from './server.ts';
import type { EndedCall } from './retry-consumer.ts';
import type { Simulation } from './simulation.ts';

/** Calls with up to `retries` retries, at once, whatever failed and however much fails: what a loop around `fetch` does. */
export class NaiveConsumer {
  readonly #simulation: Simulation;
  readonly #servers: readonly Server[];
  readonly #retries: number;
  readonly #timeoutMs: number;
  readonly #onEnd: (call: EndedCall) => void;
  #turn = 0;

  constructor(
    simulation: Simulation,
    options: {
      readonly servers: readonly Server[];
      readonly retries: number;
      /** For each attempt. */
      readonly timeoutMs: number;
      readonly onEnd: (call: EndedCall) => void;
    },
  ) {
    this.#simulation = simulation;
    this.#servers = options.servers;
    this.#retries = options.retries;
    this.#timeoutMs = options.timeoutMs;
    this.#onEnd = options.onEnd;
  }

  callAtRandom(perSecond: number, from: number, until: number): void {
    const rng = this.#simulation.rng();
    const next = (): void => {
      const time = this.#simulation.now() + exponential(1_000 / perSecond, rng);
      if (time < until) this.#simulation.at(time, next);
      this.#attempt(this.#simulation.now(), 1);
    };
    this.#simulation.at(from + exponential(1_000 / perSecond, rng), next);
  }

  #attempt(startedAt: number, attempts: number): void {
    let isOver = false;
    const end = (outcome: Outcome): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      if (outcome !== 'ok' && attempts <= this.#retries) return this.#attempt(startedAt, attempts + 1);
      const latencyMs = this.#simulation.now() - startedAt;
      this.#onEnd({ startedAt, latencyMs, outcome, endpoint: undefined, attempts });
    };
    const timer = this.#simulation.setTimer(() => end('timeout'), this.#timeoutMs);
    this.#turn = (this.#turn + 1) % this.#servers.length;
    this.#servers[this.#turn]?.serve(end);
  }
}
