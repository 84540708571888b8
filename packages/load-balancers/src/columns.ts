/** Columns by slot, grown to hold more slots; what they held stays, the rest is 0. */

export function grownFloats(column: Floats, slots: number): Floats {
  if (slots <= column.length) return column;
  const larger = new Float64Array(Math.max(slots, column.length * 2, 8));
  larger.set(column);
  return larger;
}

export function grownInts(column: Ints, slots: number): Ints {
  if (slots <= column.length) return column;
  const larger = new Int32Array(Math.max(slots, column.length * 2, 8));
  larger.set(column);
  return larger;
}

type Floats = Float64Array<ArrayBuffer>;
type Ints = Int32Array<ArrayBuffer>;
