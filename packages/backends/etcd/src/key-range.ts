/** A key, or all that begin with one. */
export interface KeyRange {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

export const oneKey = (key: string): KeyRange => ({ key: Buffer.from(key) });

/** @param prefix ASCII; empty for all keys */
export function keysBelow(prefix: string): KeyRange {
  if (prefix === '') return { key: Buffer.of(0), range_end: Buffer.of(0) };
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: Buffer.from(prefix), range_end: end };
}
