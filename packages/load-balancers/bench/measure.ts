import { median } from '../../../tools/bench/statistics.ts';
/** Steps that take about `ms` of CPU time, after they have been compiled. */
export function calibrate(run: (count: number) => void, ms: number): number {
  for (let count = 64; ; count *= 2) {
    const took = cpuNs(() => run(count));
    if (took >= 10e6) return Math.max(64, Math.ceil((count * ms * 1e6) / took));
  }
}

/** CPU time of the process, in nanoseconds: what a neighbour on the machine takes does not count. */
export function cpuNs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1_000;
}

/** Bytes that a step leaves for the garbage collector. */
export function bytesPerStep(run: (count: number) => void): number {
  const samples = Array.from({ length: 5 }, () => {
    // More steps until there is something to see, but never so much that the collector comes between.
    for (let count = 1; ; count *= 4) {
      const bytes = bytesLeftBy(() => run(count)) - bytesLeftBy(() => undefined);
      if (bytes > 50_000 || count > 500_000) return bytes / count;
    }
  });
  return Math.max(0, median(samples));
}

function bytesLeftBy(work: () => void): number {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  work();
  return process.memoryUsage().heapUsed - before;
}
