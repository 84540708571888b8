/** Changes of registrations: those of one id are made one after the other. */
export class OrderedChanges {
  /** The last of each id that was begun. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Whether one is under way, or waits: what is found of that id then means nothing. */
  has(id: string): boolean {
    return this.#last.has(id);
  }

  /** Of which there is one. */
  get ids(): Iterable<string> {
    return this.#last.keys();
  }

  /** After those of the same id that were begun before. @throws what it throws */
  async make<T>(id: string, change: () => Promise<T>): Promise<T> {
    const changed = (this.#last.get(id) ?? Promise.resolve()).then(change);
    const over = changed.catch(() => undefined);
    this.#last.set(id, over);
    try {
      return await changed;
    } finally {
      if (this.#last.get(id) === over) this.#last.delete(id);
    }
  }
}
