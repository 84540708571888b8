/** What stands for all beyond a limit. */
export const other = '_other';

/** Which services have series of their own: the first that are heard of, so that nothing grows without bound. */
export class ServiceNames {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Hot path. */
  of(service: string): string {
    if (this.#known.has(service)) return service;
    if (this.#known.size >= this.#most) return other;
    this.#known.add(service);
    return service;
  }
}
