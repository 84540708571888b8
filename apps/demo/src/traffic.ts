import { Samples, type Reading } from './samples.ts';

/** What one instance was asked until a moment, and what became of it. */
export interface TrafficReading extends Reading {
  readonly requests: number;
  readonly inFlight: number;
  /** Requests whose answer did not get out completely, though their caller still waited for it. */
  readonly cutOff: number;
  /** Requests that came after the server had stopped accepting. */
  readonly late: number;
}

/** Of those who do nothing any more. */
export const standstill = { inFlight: 0, perSecond: 0, p50: undefined, p99: undefined } as const;

/** Of those who have done nothing yet. */
export const noTraffic: TrafficReading = { requests: 0, cutOff: 0, late: 0, ...standstill };

/** `given-up`: its caller closed the connection, because another instance has answered or time was up. */
export type RequestEnd = 'answered' | 'given-up' | 'cut-off';

/** Counts what one instance is asked. */
export class Traffic {
  readonly #samples = new Samples();
  #requests = 0;
  #inFlight = 0;
  #cutOff = 0;
  #late = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  /** A request came. @returns what to call when its connection or its answer has ended */
  begin({ late }: { readonly late: boolean }): (end: RequestEnd) => void {
    const startedAt = performance.now();
    this.#requests += 1;
    this.#inFlight += 1;
    if (late) this.#late += 1;
    return (end) => {
      const now = performance.now();
      this.#inFlight -= 1;
      if (end === 'answered') this.#samples.add(now - startedAt, now);
      else if (end === 'cut-off') this.#cutOff += 1;
    };
  }

  read(): TrafficReading {
    return {
      ...this.#samples.read(performance.now()),
      requests: this.#requests,
      inFlight: this.#inFlight,
      cutOff: this.#cutOff,
      late: this.#late,
    };
  }
}
