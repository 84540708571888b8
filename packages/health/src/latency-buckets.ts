/**
 * Latencies from 0.1 ms to 100 s in 70 buckets, each 22 % wider than the one before: what is read back is at most 10 %
 * off. What is outside counts as the nearest.
 *
 * Source: DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
 * Guarantees", VLDB 2019): bucket i holds what is above growth^(i-1) and up to growth^i, growth = (1 + error) / (1 - error).
 */
export const latencyBuckets = 70;

/** Hot path. */
export function bucketOf(latencyMs: number): number {
  if (!(latencyMs > leastMs)) return 0;
  const bucket = Math.ceil(Math.log(latencyMs / leastMs) * perLog);
  return bucket < latencyBuckets ? bucket : latencyBuckets - 1;
}

/** The latency that is nearest, in ratio, to all of a bucket, in milliseconds. */
export function latencyOf(bucket: number): number {
  return bucket === 0 ? leastMs : (leastMs * 2 * growth ** bucket) / (growth + 1);
}

const leastMs = 0.1;
const error = 0.1;
const growth = (1 + error) / (1 - error);
const perLog = 1 / Math.log(growth);
