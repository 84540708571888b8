import { globalLogger, type DiscoveryLogger } from './logger.ts';

/** An entry of a store that could not be read; it was skipped and the others were served. */
export interface MalformedEntry {
  readonly service: string;
  /** Its key, path or index in the store. */
  readonly key: string;
  readonly problem: string;
}

export interface MalformedReport {
  /** Distinct malformed entries met so far. */
  readonly count: number;
  /** The newest of them, at most 20. */
  readonly recent: readonly MalformedEntry[];
}

/** Counts and reports each malformed entry of a backend once, however often it is read. */
export class MalformedEntries implements MalformedReport {
  readonly #logger: DiscoveryLogger;
  readonly #known = new Set<string>();
  #recent: readonly MalformedEntry[] = [];
  #count = 0;

  constructor(logger: DiscoveryLogger = globalLogger) {
    this.#logger = logger;
  }

  get count(): number {
    return this.#count;
  }

  get recent(): readonly MalformedEntry[] {
    return this.#recent;
  }

  report(entry: MalformedEntry): void {
    const fingerprint = JSON.stringify([entry.service, entry.key, entry.problem]);
    if (this.#known.has(fingerprint)) return;
    if (this.#known.size === 1_000) this.#known.clear();
    this.#known.add(fingerprint);
    this.#count += 1;
    this.#recent = [...this.#recent.slice(-19), entry];
    this.#logger.warn(`Skipped a malformed entry of service "${entry.service}": ${entry.problem}`, {
      key: entry.key,
    });
  }
}
