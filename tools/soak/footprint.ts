import { readdirSync, readlinkSync } from 'node:fs';
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
    files: openFiles().length,
    listeners: listeners(),
  };
}

/** What is open, e.g. `19 -> socket:[14404299]`; nothing where the system does not tell. */
export function openFiles(): string[] {
  const folder = '/proc/self/fd';
  try {
    return readdirSync(folder).map((number) => `${number} -> ${targetOf(`${folder}/${number}`)}`);
  } catch {
    return [];
  }
}

/** The file that lists them is gone when it is asked for. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'gone';
  }
}
