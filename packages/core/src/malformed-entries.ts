import { globalLogger, unfailing, type DiscoveryLogger } from './logger.ts';
import { describeValue } from './validation.ts';

/** An entry of a store that could not be read; it was skipped and the others were served. */
export interface MalformedEntry {
  readonly service: string;
  /** Its key, path or index in the store. */
  readonly key: string;
  readonly problem: string;
}

export interface MalformedReport {
  /** Distinct places of the store that held a malformed entry so far; 1,000 means that many or more. */
  readonly count: number;
  /** The newest of them, at most 20, each with its latest problem. */
  readonly recent: readonly MalformedEntry[];
}

/** How many places are remembered, and so how often a hostile store can make us log. */
const maxCount = 1_000;

/** Counts and reports each malformed entry of a backend once, however often it is read or broken anew. */
export class MalformedEntries implements MalformedReport {
  readonly #logger: DiscoveryLogger;
  /** The latest problem, by place. */
  readonly #problems = new Map<string, string>();
  #recent: readonly MalformedEntry[] = [];

  constructor(logger: DiscoveryLogger = globalLogger) {
    this.#logger = unfailing(() => logger);
  }

  get count(): number {
    return this.#problems.size;
  }

  get recent(): readonly MalformedEntry[] {
    return this.#recent;
  }

  report(entry: MalformedEntry): void {
    const { service, key, problem } = shortened(entry);
    const place = JSON.stringify([service, key]);
    const known = this.#problems.get(place);
    if (known === problem || (known === undefined && this.count === maxCount)) return;
    this.#problems.set(place, problem);
    const others = this.#recent.filter((other) => other.service !== service || other.key !== key);
    this.#recent = Object.freeze([...others.slice(-19), Object.freeze({ service, key, problem })]);
    if (known !== undefined) return;
    this.#logger.warn(`Skipped a malformed entry of service ${describeValue(service)}: ${problem}`, { key });
    if (this.count === maxCount)
      this.#logger.warn(`Met ${maxCount} malformed entries; further ones are skipped in silence`);
  }
}

/** All three come from a store and have any length. */
function shortened({ service, key, problem }: MalformedEntry): MalformedEntry {
  return { service: service.slice(0, 128), key: key.slice(0, 256), problem: problem.slice(0, 1_000) };
}
