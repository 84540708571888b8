import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process holds, after everything that can go is gone. */
export interface Footprint {
  readonly heapBytes: number;
  /** Sockets, timers, servers and the like that keep a process busy. */
  readonly resources: number;
  /** Open files and sockets; 0 where the system does not tell. */
  readonly files: number;
  /** Listeners on what outlives a call. */
  readonly listeners: number;
}

/** @param listeners on what the program shares between calls */
export async function footprint(listeners: () => number): Promise<Footprint> {
  // What is finalized with one collection is free with the next.
  for (let time = 0; time < 4; time += 1) {
    globalThis.gc?.();
    await sleep(10);
  }
  return {
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().length,
    files: openFiles(),
    listeners: listeners(),
  };
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
