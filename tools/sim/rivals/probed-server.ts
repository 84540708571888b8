import type { Outcome } from '@sd/load-balancers';
import { Server, type ServerOptions } from '../server.ts';
import type { Simulation } from '../simulation.ts';

/** What a server says of itself when Prequal asks. */
export interface ProbeAnswer {
  readonly inFlight: number;
  /** Median of what recent requests took that found about as many before them. 0 before the first answer. */
  readonly latencyMs: number;
}

/** A server that answers Prequal's probes, at once. */
export class ProbedServer extends Server {
  readonly #simulation: Simulation;
  /** By how many a request found there: the latencies of the last ones, the newest last. */
  readonly #latencies: number[][] = [];
  #inFlight = 0;

  constructor(simulation: Simulation, options: ServerOptions) {
    super(simulation, options);
    this.#simulation = simulation;
  }

  override serve(answer: (outcome: Outcome) => void): void {
    const found = this.#inFlight;
    const cameAt = this.#simulation.now();
    this.#inFlight += 1;
    super.serve((outcome) => {
      this.#inFlight -= 1;
      const latencies = (this.#latencies[found] ??= []);
      latencies.push(this.#simulation.now() - cameAt);
      if (latencies.length > remembered) latencies.shift();
      answer(outcome);
    });
  }

  probe(): ProbeAnswer {
    return { inFlight: this.#inFlight, latencyMs: this.#expectedMs() };
  }

  #expectedMs(): number {
    for (let apart = 0; apart < this.#latencies.length + this.#inFlight; apart += 1) {
      const near = this.#latencies[this.#inFlight - apart] ?? this.#latencies[this.#inFlight + apart];
      if (near !== undefined) return median(near);
    }
    return 0;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
}

const remembered = 9;
