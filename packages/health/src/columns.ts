/** Columns by slot, grown to hold more slots; what they held stays, the rest is 0. */

export function grownCounts(column: Counts, slots: number): Counts {
  if (slots <= column.length) return column;
  const larger = new Uint32Array(slots);
  larger.set(column);
  return larger;
}

export function grownFloats(column: Floats, slots: number): Floats {
  if (slots <= column.length) return column;
  const larger = new Float64Array(slots);
  larger.set(column);
  return larger;
}

/** Where nothing was counted yet: most services of many are watched and seldom called. */
export const noCounts: Counts = new Uint32Array(0);

export type Counts = Uint32Array<ArrayBuffer>;
export type Floats = Float64Array<ArrayBuffer>;
