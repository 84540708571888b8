import { rankedStatuses, type InstanceStatus } from '@sd/core';

/**
 * Who has a say in the health of a thing.
 * - `registry`: what the instance publishes of itself
 * - `active`: checks
 * - `passive`: what was seen of its answers
 * - `operator`: people
 */
export type HealthWriter = (typeof writers)[number];

const writers = ['registry', 'active', 'passive', 'operator'] as const;

/** The bits of the first writer: one for each status. */
const column = rankedStatuses.reduce((bits, _, rank) => bits | (1 << (rank * writers.length)), 0);

/**
 * The health of one thing, of which several writers each know something. Nobody overwrites another: a check that passes
 * does not bring back what an operator took out. The worst that anybody says counts.
 */
export class HealthState {
  /** One bit for each status and writer, the worse the higher: the highest one gives the status. */
  #bits = 0;

  /** The worst of what is said: out-of-service, draining, starting, unhealthy, degraded, healthy; else `unknown`. */
  get status(): InstanceStatus {
    return worstOf(this.#bits);
  }

  /** Who says what; without those who say nothing. */
  get reasons(): Readonly<Partial<Record<HealthWriter, InstanceStatus>>> {
    const reasons: Partial<Record<HealthWriter, InstanceStatus>> = {};
    for (const [place, writer] of writers.entries()) {
      const said = (this.#bits >> place) & column;
      if (said !== 0) reasons[writer] = worstOf(said);
    }
    return reasons;
  }

  /** Replaces what this writer said before. `unknown` is to say nothing, like `clear()`. */
  report(writer: HealthWriter, status: InstanceStatus): void {
    this.clear(writer);
    const rank = rankedStatuses.indexOf(status);
    if (rank >= 0) this.#bits |= 1 << (rank * writers.length + writers.indexOf(writer));
  }

  /** Takes back what this writer said. */
  clear(writer: HealthWriter): void {
    this.#bits &= ~(column << writers.indexOf(writer));
  }

  /** For people: `unhealthy (registry: healthy, active: unhealthy)`. */
  describe(): string {
    const reasons = Object.entries(this.reasons).map(([writer, status]) => `${writer}: ${status}`);
    return reasons.length === 0 ? this.status : `${this.status} (${reasons.join(', ')})`;
  }
}

function worstOf(bits: number): InstanceStatus {
  const highest = 31 - Math.clz32(bits); // -1 without any
  return rankedStatuses[Math.floor(highest / writers.length)] ?? 'unknown';
}
