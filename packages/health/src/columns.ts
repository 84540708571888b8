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

export type Counts = Uint32Array<ArrayBuffer>;
export type Floats = Float64Array<ArrayBuffer>;
