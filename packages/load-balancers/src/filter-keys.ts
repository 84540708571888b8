import type { ServiceFilter } from '@sd/core';

/** The same key for filters that say the same; a predicate is the same only if it is the same function. */
export class FilterKeys {
  readonly #predicates = new WeakMap<object, number>();
  #nextPredicate = 0;

  /** @param filter one that has been validated */
  keyOf(filter: ServiceFilter): string {
    return JSON.stringify(filter, (_field, value: unknown) => {
      if (typeof value === 'function') return this.#numberOf(value);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
    });
  }

  #numberOf(predicate: object): number {
    const known = this.#predicates.get(predicate);
    if (known !== undefined) return known;
    const number = this.#nextPredicate;
    this.#nextPredicate += 1;
    this.#predicates.set(predicate, number);
    return number;
  }
}
