import { hashText, mix } from '../hash.ts';

/**
 * Points on a circle of 32-bit hashes, each with an owner, and for every hash the first point from there on.
 * Hashes are evenly spread, so that their leading bits say where in the sorted points to look: O(1), and building
 * sorts by them in linear time.
 */
export class HashRing {
  /** Sorted. */
  readonly #points: Uint32Array;
  /** The owner, by place in `ids`, of the point at the same index. */
  readonly #owners: Uint32Array;
  /** By leading bits: the index of the first point that has these or greater ones. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  /** All who give the same ids and weights get the same ring. */
  constructor(ids: readonly string[], weights: readonly number[]) {
    const counts = pointsOf(ids, weights);
    const size = counts.reduce((sum, count) => sum + count, 0);
    const bits = Math.max(1, Math.ceil(Math.log2(size)));
    this.#points = new Uint32Array(size);
    this.#owners = new Uint32Array(size);
    this.#starts = new Uint32Array(2 ** bits + 1);
    this.#shift = 32 - bits;
    this.#fill(ids, counts);
    this.#sort();
  }

  get size(): number {
    return this.#points.length;
  }

  /** The index of the first point from `hash` on, around the end. */
  find(hash: number): number {
    const points = this.#points;
    let index = this.#starts[hash >>> this.#shift] ?? 0;
    while (index < points.length && (points[index] ?? 0) < hash) index += 1;
    return index < points.length ? index : 0;
  }

  ownerAt(index: number): number {
    return this.#owners[index] ?? 0;
  }

  /** Puts the points where their leading bits belong: a counting sort. */
  #fill(ids: readonly string[], counts: readonly number[]): void {
    const starts = this.#starts;
    forEachPoint(ids, counts, (point) => {
      const after = (point >>> this.#shift) + 1;
      starts[after] = (starts[after] ?? 0) + 1;
    });
    for (let bucket = 1; bucket < starts.length; bucket += 1) {
      starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
    }
    const free = starts.slice();
    forEachPoint(ids, counts, (point, owner) => {
      const bucket = point >>> this.#shift;
      const index = free[bucket] ?? 0;
      free[bucket] = index + 1;
      this.#points[index] = point;
      this.#owners[index] = owner;
    });
  }

  /** Few are out of order now, and not far. */
  #sort(): void {
    const [points, owners] = [this.#points, this.#owners];
    for (let next = 1; next < points.length; next += 1) {
      const point = points[next] ?? 0;
      const owner = owners[next] ?? 0;
      let index = next;
      for (; index > 0 && (points[index - 1] ?? 0) > point; index -= 1) {
        points[index] = points[index - 1] ?? 0;
        owners[index] = owners[index - 1] ?? 0;
      }
      points[index] = point;
      owners[index] = owner;
    }
  }
}

function forEachPoint(
  ids: readonly string[],
  counts: readonly number[],
  visit: (point: number, owner: number) => void,
): void {
  ids.forEach((id, owner) => {
    // Start and stride, so that ids would have to collide in 64 bits to share their points.
    const start = hashText(id);
    const stride = hashText(id, 1) | 1;
    for (let index = counts[owner] ?? 0; index > 0; index -= 1) {
      visit(mix(start + Math.imul(index, stride)), owner);
    }
  });
}

/**
 * 512 points for one of mean weight: shares within about 4 % of what they should be. The mean is rounded to a power of
 * two, so that it stays when members change; where it does not, the smaller ring is part of the larger.
 * Beyond 512 members the ring stays at its size, and one that joins or leaves moves about one key in n of the others.
 */
function pointsOf(ids: readonly string[], weights: readonly number[]): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = 2 ** Math.round(Math.log2(total / weights.length));
  const perWeight = Math.min(512 / mean, 2 ** 18 / total);
  return weights.map((weight, owner) => {
    // A part of a point is had by that part of the members: shares stay true, and change one by one.
    const part = hashText(ids[owner] ?? '', 2) / 2 ** 32;
    return Math.max(1, Math.floor(weight * perWeight + part));
  });
}
