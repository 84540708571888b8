/** What the samples of a window say. */
export interface Reading {
  readonly perSecond: number;
  /** Undefined without samples. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** Measurements of the last two seconds, in a ring that forgets the oldest when it is full. */
export class Samples {
  readonly #times = new Float64Array(capacity);
  readonly #values = new Float64Array(capacity);
  #count = 0;
  #firstAt: number | undefined;

  /** @param now milliseconds on any clock that never goes back */
  add(value: number, now: number): void {
    this.#firstAt ??= now;
    const index = this.#count % capacity;
    this.#times[index] = now;
    this.#values[index] = value;
    this.#count += 1;
  }

  read(now: number): Reading {
    const from = now - windowMs;
    const recent = this.#values.filter((_, index) => index < this.#count && (this.#times[index] ?? 0) > from);
    recent.sort();
    const age = now - (this.#firstAt ?? now);
    const spanMs = Math.min(windowMs, Math.max(age, windowMs / 2)); // one sample is no rate
    return {
      perSecond: (recent.length * 1_000) / spanMs,
      p50: quantile(recent, 0.5),
      p99: quantile(recent, 0.99),
    };
  }
}

/** The smallest value that at least this share of all values does not exceed; undefined if there are none. */
export function quantile(sorted: Float64Array, share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

const windowMs = 2_000;
const capacity = 2_048;
