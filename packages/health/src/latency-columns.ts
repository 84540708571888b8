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
    if (slot >= this.#running.totals.length) this.grow(slot + 1);
    this.#running.add(slot, bucket);
  }

  count(slot: number): number {
    return (this.#running.totals[slot] ?? 0) + (this.#former.totals[slot] ?? 0);
  }

  /** The bucket that a share of the latencies is in or below; -1 if there are none. @param quantile 0 to 1 */
  quantile(slot: number, quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.count(slot)));
    const [running, former] = [this.#running.buckets, this.#former.buckets];
    const first = slot * latencyBuckets;
    let seen = 0;
    for (let bucket = 0; bucket < latencyBuckets; bucket += 1) {
      seen += (running[first + bucket] ?? 0) + (former[first + bucket] ?? 0);
      if (seen >= rank) return bucket;
    }
    return -1;
  }

  /** How many latencies are in a greater bucket. */
  above(slot: number, bucket: number): number {
    const [from, end] = [slot * latencyBuckets + bucket + 1, (slot + 1) * latencyBuckets];
    let above = 0;
    for (let index = from; index < end; index += 1) {
      above += (this.#running.buckets[index] ?? 0) + (this.#former.buckets[index] ?? 0);
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
    return this.#running.totals[slot] ?? 0;
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

class Half {
  buckets: Counts = noCounts;
  totals: Counts = noCounts;

  grow(slots: number): void {
    this.buckets = grownCounts(this.buckets, slots * latencyBuckets);
    this.totals = grownCounts(this.totals, slots);
  }

  add(slot: number, bucket: number): void {
    const index = slot * latencyBuckets + bucket;
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    this.totals[slot] = (this.totals[slot] ?? 0) + 1;
  }

  take(slot: number, from: Half): void {
    const [first, end] = [slot * latencyBuckets, (slot + 1) * latencyBuckets];
    this.buckets.set(from.buckets.subarray(first, end), first);
    this.totals[slot] = from.totals[slot] ?? 0;
  }

  clear(slot?: number): void {
    const [from, to] = slot === undefined ? [0, this.totals.length] : [slot, slot + 1];
    this.buckets.fill(0, from * latencyBuckets, to * latencyBuckets);
    this.totals.fill(0, from, to);
  }
}
