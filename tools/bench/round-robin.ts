/** One of the list after the other, and again from the first. */
export function roundRobin<T>(list: readonly T[]): () => T {
  let next = 0;
  return () => list[next++ % list.length]!; // no list here is empty
}
