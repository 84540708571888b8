import { grownCounts, noCounts, type Counts } from './columns.ts';
import { latencyBuckets } from './latency-buckets.ts';

/**
 * How many latencies fell into which bucket, by slot, in two halves of a window: the running one and the one before. It
 * knows no time: whoever keeps it calls `turn` when a half is over, and what is older than two halves is gone. A slot with
 * many latencies may have its own, shorter halves.
 */
export class LatencyColumns {
  #running = new Half();
  #former = new Half();

  grow(slots: number): void {
    this.#running.grow(slots);
    this.#former.grow(slots);
  }

  /** Hot path. @param bucket by `bucketOf` */
  add(slot: number, bucket: number): void {
    if (!this.#running.holds(slot)) this.grow(slot + 1);
    this.#running.add(slot, bucket);
  }

  count(slot: number): number {
    return this.#running.total(slot) + this.#former.total(slot);
  }

  /** The bucket that a share of the latencies is in or below; -1 if there are none. @param quantile 0 to 1 */
  quantile(slot: number, quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.count(slot)));
    const [running, former] = [this.#running.counts, this.#former.counts];
    const first = slot * perSlot;
    let seen = 0;
    for (let bucket = 0; bucket < latencyBuckets; bucket += 1) {
      seen += (running[first + bucket] ?? 0) + (former[first + bucket] ?? 0);
      if (seen >= rank) return bucket;
    }
    return -1;
  }

  /** How many latencies are in a greater bucket. */
  above(slot: number, bucket: number): number {
    const [from, end] = [slot * perSlot + bucket + 1, slot * perSlot + latencyBuckets];
    let above = 0;
    for (let index = from; index < end; index += 1) {
      above += (this.#running.counts[index] ?? 0) + (this.#former.counts[index] ?? 0);
    }
    return above;
  }

  /** So many halves are over. */
  turn(halves: number): void {
    for (let left = Math.min(halves, 2); left > 0; left -= 1) {
      const oldest = this.#former;
      this.#former = this.#running;
      oldest.clear();
      this.#running = oldest;
    }
  }

  /** Hot path. Latencies of the running half. */
  running(slot: number): number {
    return this.#running.total(slot);
  }

  /** The half of one slot is over. */
  turnSlot(slot: number): void {
    this.#former.take(slot, this.#running);
    this.#running.clear(slot);
  }

  reset(slot: number): void {
    this.#running.clear(slot);
    this.#former.clear(slot);
  }
}

/** Of each slot its buckets, and beside them how many latencies there are in all. */
class Half {
  counts: Counts = noCounts;

  holds(slot: number): boolean {
    return slot * perSlot < this.counts.length;
  }

  grow(slots: number): void {
    this.counts = grownCounts(this.counts, slots * perSlot);
  }

  total(slot: number): number {
    return this.counts[slot * perSlot + latencyBuckets] ?? 0;
  }

  add(slot: number, bucket: number): void {
    this.#increment(slot * perSlot + bucket);
    this.#increment(slot * perSlot + latencyBuckets);
  }

  take(slot: number, from: Half): void {
    const first = slot * perSlot;
    this.counts.set(from.counts.subarray(first, first + perSlot), first);
  }

  clear(slot?: number): void {
    if (slot === undefined) this.counts.fill(0);
    else this.counts.fill(0, slot * perSlot, (slot + 1) * perSlot);
  }

  #increment(index: number): void {
    this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}

const perSlot = latencyBuckets + 1;
