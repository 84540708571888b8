/** What waits for its moment. */
export interface Due {
  /** Monotonic milliseconds. Unchanged while it waits. */
  dueAt: number;
  /** The heap's own: where it stands; -1 while it does not wait. */
  place: number;
}

/** Hands out the earliest first: a binary heap whose entries know their place, so that one can leave at any time. */
export class DueHeap<T extends Due> {
  readonly #entries: T[] = [];

  get earliest(): T | undefined {
    return this.#entries[0];
  }

  add(entry: T): void {
    this.#rise(entry, this.#entries.length);
  }

  /** Nothing happens when it does not wait. */
  remove(entry: T): void {
    const { place } = entry;
    const last = this.#entries.at(-1);
    if (place < 0 || last === undefined) return;
    this.#entries.pop();
    entry.place = -1;
    if (last === entry) return;
    this.#sink(last, place);
    this.#rise(last, last.place);
  }

  #rise(entry: T, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#entries[above];
      if (parent === undefined || parent.dueAt <= entry.dueAt) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(entry, place);
  }

  #sink(entry: T, from: number): void {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const leftChild = this.#entries[left];
      const rightChild = this.#entries[left + 1];
      if (leftChild === undefined) break;
      const child = rightChild !== undefined && rightChild.dueAt < leftChild.dueAt ? rightChild : leftChild;
      if (child.dueAt >= entry.dueAt) break;
      const below = child.place;
      this.#put(child, place);
      place = below;
    }
    this.#put(entry, place);
  }

  #put(entry: T, place: number): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}
