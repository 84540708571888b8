/**
 * Members that come and go all the time, such as requests under way. A `Set` is as fast, but when V8 rebuilds its table the
 * old one keeps its members: once that is old itself, they and all that they refer to live until the next full collection.
 */
export class SlotList<T extends object> {
  readonly #slots: (T | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Hot path. @returns what `remove` takes */
  add(member: T): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = member;
    this.#size += 1;
    return slot;
  }

  /** Hot path. Once for each `add`. */
  remove(slot: number): void {
    if (this.#slots[slot] === undefined) return;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.#size -= 1;
  }

  /** Those that there are now, whatever comes and goes meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#slots.filter((member) => member !== undefined).values();
  }
}
