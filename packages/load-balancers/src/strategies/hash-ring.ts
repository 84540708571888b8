import { grownFloats, grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import { nthOf } from '../select.ts';
import type { KeyTable } from './key-table.ts';

/**
 * Points on a circle of 32-bit hashes, each with an owner; a key belongs to the first point from its hash on. Hashes are
 * evenly spread, so that their leading bits say where in the sorted points to look: O(1).
 *
 * A change moves only the keys it must. Two exceptions: beyond 512 members the ring stays at its size, and one that joins
 * or leaves moves about one key in n of the others too; and where another weight becomes the median, twice or half as
 * large, all members have twice or half their points, and up to half of all keys move.
 *
 * Points are put in and taken out in one pass; only a change of most of them sorts anew.
 *
 * Source: Karger and others, "Consistent Hashing and Random Trees", 1997.
 */
export class HashRing implements KeyTable {
  // Columns by slot.
  #weights = new Float64Array(0);
  #counts = new Int32Array(0);
  /** Start and stride of the points, so that ids would have to collide in 64 bits to share theirs. */
  #starts = new Int32Array(0);
  #strides = new Int32Array(0);
  /** 0 to 1: a part of a point is had by that part of the members, so that shares stay true. */
  #parts = new Float64Array(0);

  /** Sorted, and the owner of the point at the same index. */
  #points = new Uint32Array(0);
  #owners = new Int32Array(0);
  #size = 0;
  /** By leading bits: the index of the first point that has these or greater ones. */
  #index = new Int32Array(2);
  #shift = 31;
  #isStale = false;
  #spare = { points: this.#points, owners: this.#owners };
  /** Points that members who left had: taken out with the next pass. */
  #leaving: Change[] = [];

  get size(): number {
    return this.#size;
  }

  set({ id, slot }: Endpoint, weight: number): void {
    this.#isStale = true;
    this.#weights = grownFloats(this.#weights, slot + 1);
    this.#parts = grownFloats(this.#parts, slot + 1);
    this.#counts = grownInts(this.#counts, slot + 1);
    this.#starts = grownInts(this.#starts, slot + 1);
    this.#strides = grownInts(this.#strides, slot + 1);
    this.#weights[slot] = weight;
    this.#starts[slot] = hashText(id);
    this.#strides[slot] = hashText(id, 1) | 1;
    this.#parts[slot] = (hashText(id, 2) >>> 0) / 2 ** 32;
  }

  remove({ slot }: Endpoint): void {
    this.#isStale = true;
    this.#weights[slot] = 0;
    const count = this.#counts[slot] ?? 0;
    this.#counts[slot] = 0;
    for (let number = 1; number <= count; number += 1) {
      this.#leaving.push({ point: this.#pointOf(slot, number), owner: slot, joins: false });
    }
  }

  settle(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const before = this.#counts;
    const counts = this.#pointCounts();
    this.#counts = counts;
    const changes = this.#leaving;
    this.#leaving = [];
    let size = 0;
    let changed = changes.length;
    for (let slot = 0; slot < counts.length; slot += 1) {
      size += counts[slot] ?? 0;
      changed += Math.abs((counts[slot] ?? 0) - (before[slot] ?? 0));
    }
    const buckets = this.#index.length - 1;
    const fits = size <= buckets * 8 && size > buckets;
    if (fits && changed < size / 8) this.#merge(size, this.#changesSince(before, changes));
    else this.#build(size);
  }

  ownerOf(hash: number): number {
    if (this.#size === 0) return -1;
    const at = this.#find(hash);
    return this.#owners[at < this.#size ? at : 0] ?? -1;
  }

  /** The index of the first point from `hash` on. */
  #find(hash: number): number {
    const points = this.#points;
    const point = hash >>> 0;
    let index = this.#index[hash >>> this.#shift] ?? 0;
    while (index < this.#size && (points[index] ?? 0) < point) index += 1;
    return index;
  }

  #pointOf(slot: number, number: number): number {
    return mix((this.#starts[slot] ?? 0) + Math.imul(number, this.#strides[slot] ?? 1)) >>> 0;
  }

  /**
   * 512 points for one of median weight: shares within about 4 % of what they should be. The median stays when members
   * come and go, unless most come to have another weight; it is rounded to a power of two, so that then the smaller ring
   * is part of the larger.
   */
  #pointCounts(): Int32Array<ArrayBuffer> {
    const weights = this.#weights;
    const present = new Float64Array(weights.length);
    let members = 0;
    let total = 0;
    for (let slot = 0; slot < weights.length; slot += 1) {
      const weight = weights[slot] ?? 0;
      if (weight === 0) continue;
      present[members] = weight;
      members += 1;
      total += weight;
    }
    total = Math.fround(total); // the order in which weights were added up must not show
    const middle = nthOf(present.subarray(0, members), (members - 1) >> 1);
    const perWeight = Math.min(512 / 2 ** Math.round(Math.log2(middle)), mostPoints / total);
    const counts = new Int32Array(weights.length);
    for (let slot = 0; slot < weights.length; slot += 1) {
      const weight = weights[slot] ?? 0;
      if (weight > 0) counts[slot] = Math.max(1, Math.floor(weight * perWeight + (this.#parts[slot] ?? 0)));
    }
    return counts;
  }

  /** Copies the ring, with the points that came and without those that left. */
  #merge(size: number, changes: readonly PlacedChange[]): void {
    const [points, owners] = [this.#points, this.#owners];
    // The arrays of the ring before last are free again.
    const isRoomy = this.#spare.points.length >= size;
    const spare = isRoomy
      ? this.#spare
      : { points: new Uint32Array(size + 1_024), owners: new Int32Array(size + 1_024) };
    const [newPoints, newOwners] = [spare.points, spare.owners];
    let from = 0;
    let to = 0;
    const copyUpTo = (end: number): void => {
      newPoints.set(points.subarray(from, end), to);
      newOwners.set(owners.subarray(from, end), to);
      to += end - from;
      from = end;
    };
    for (const { at, point, owner, joins } of changes) {
      if (at > from) copyUpTo(at);
      if (joins) {
        newPoints[to] = point;
        newOwners[to] = owner;
        to += 1;
      } else {
        from += 1;
      }
    }
    copyUpTo(this.#size);
    this.#spare = { points, owners };
    this.#points = newPoints;
    this.#owners = newOwners;
    this.#size = size;
    this.#shiftIndex(changes);
  }

  /** Sorted by place. */
  #changesSince(before: Int32Array, leaving: readonly Change[]): readonly PlacedChange[] {
    const changes = [...leaving];
    const counts = this.#counts;
    for (let slot = 0; slot < counts.length; slot += 1) {
      const count = counts[slot] ?? 0;
      const had = before[slot] ?? 0;
      for (let number = had + 1; number <= count; number += 1) {
        changes.push({ point: this.#pointOf(slot, number), owner: slot, joins: true });
      }
      for (let number = had; number > count; number -= 1) {
        changes.push({ point: this.#pointOf(slot, number), owner: slot, joins: false });
      }
    }
    return changes
      .map((change) => ({ ...change, at: this.#placeFor(change) }))
      .sort(
        (left, right) =>
          left.at - right.at ||
          Number(right.joins) - Number(left.joins) ||
          left.point - right.point ||
          this.#startOf(left) - this.#startOf(right),
      );
  }

  #startOf({ owner }: Change): number {
    return this.#starts[owner] ?? 0;
  }

  /** Where a point is, or where it belongs: among equal points, in the order of their owners' starts. */
  #placeFor({ point, owner, joins }: Change): number {
    const [points, owners, starts] = [this.#points, this.#owners, this.#starts];
    let at = this.#find(point);
    while (at < this.#size && points[at] === point) {
      const other = owners[at] ?? 0;
      if (joins ? (starts[other] ?? 0) >= (starts[owner] ?? 0) : other === owner) break;
      at += 1;
    }
    return at;
  }

  #shiftIndex(changes: readonly PlacedChange[]): void {
    const index = this.#index;
    let delta = 0;
    let bucket = 0;
    for (const { point, joins } of changes) {
      const end = point >>> this.#shift;
      if (delta !== 0) for (let at = bucket + 1; at <= end; at += 1) index[at] = (index[at] ?? 0) + delta;
      delta += joins ? 1 : -1;
      bucket = end;
    }
    if (delta !== 0)
      for (let at = bucket + 1; at < index.length; at += 1) index[at] = (index[at] ?? 0) + delta;
  }

  /** Sorts all points by their leading bits, in linear time, and then the few that are out of order. */
  #build(size: number): void {
    const bits = Math.max(1, Math.ceil(Math.log2(size)) - 2); // about four points each: few to keep up to date
    this.#shift = 32 - bits;
    this.#size = size;
    this.#points = new Uint32Array(size);
    this.#owners = new Int32Array(size);
    const index = new Int32Array(2 ** bits + 1);
    this.#index = index;
    this.#forEachPoint((point) => {
      const after = (point >>> this.#shift) + 1;
      index[after] = (index[after] ?? 0) + 1;
    });
    for (let bucket = 1; bucket < index.length; bucket += 1) {
      index[bucket] = (index[bucket] ?? 0) + (index[bucket - 1] ?? 0);
    }
    const free = index.slice();
    this.#forEachPoint((point, owner) => {
      const bucket = point >>> this.#shift;
      const at = free[bucket] ?? 0;
      free[bucket] = at + 1;
      this.#points[at] = point;
      this.#owners[at] = owner;
    });
    this.#sort();
  }

  #forEachPoint(visit: (point: number, owner: number) => void): void {
    const counts = this.#counts;
    for (let slot = 0; slot < counts.length; slot += 1) {
      const count = counts[slot] ?? 0;
      for (let number = 1; number <= count; number += 1) visit(this.#pointOf(slot, number), slot);
    }
  }

  #sort(): void {
    const [points, owners, starts] = [this.#points, this.#owners, this.#starts];
    for (let next = 1; next < this.#size; next += 1) {
      const point = points[next] ?? 0;
      const owner = owners[next] ?? 0;
      let at = next;
      while (at > 0) {
        const other = points[at - 1] ?? 0;
        if (other < point) break;
        if (other === point && (starts[owners[at - 1] ?? 0] ?? 0) <= (starts[owner] ?? 0)) break;
        points[at] = other;
        owners[at] = owners[at - 1] ?? 0;
        at -= 1;
      }
      points[at] = point;
      owners[at] = owner;
    }
  }
}

/** Of all members together, so that a ring takes at most 4 MB. */
const mostPoints = 2 ** 18;

interface Change {
  readonly point: number;
  readonly owner: number;
  readonly joins: boolean;
}

interface PlacedChange extends Change {
  /** Index in the ring as it was. */
  readonly at: number;
}
