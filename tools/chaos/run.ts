import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bundle } from './bundle.ts';
import type { ChaosStore } from './chaos-store.ts';
import { settleMs } from './checker/bounds.ts';
import { check, isSettled } from './checker/check.ts';
import type { Violation } from './checker/violation.ts';
import { perform } from './faults.ts';
import { Fleet } from './fleet.ts';
import { HistoryWriter, readHistory, type HistoryEvent } from './history.ts';
import { service } from './pace.ts';
import { openDiscovery } from './places.ts';
import { Publisher, type PublishedStore } from './publisher.ts';
import { scheduleOf } from './schedule.ts';
import { noteStalls } from './stall.ts';
import { stores, type StoreName } from './stores.ts';

export interface RunOptions {
  readonly store: StoreName;
  readonly seed: number;
  readonly bundle: Bundle;
  /** Where its history goes. */
  readonly folder: string;
}

export interface RunResult {
  readonly store: StoreName;
  readonly seed: number;
  readonly tookMs: number;
  readonly history: readonly HistoryEvent[];
  readonly historyFile: string;
  readonly violations: readonly Violation[];
  /** Broken limits of time that the machine was too busy for. */
  readonly doubtful: readonly Violation[];
}

/** Starts a store and processes that meet in it, plays the schedule of the seed, and judges what came of it. */
export async function runOnce({ store: name, seed, bundle, folder }: RunOptions): Promise<RunResult> {
  const startedAt = performance.now();
  mkdirSync(folder, { recursive: true });
  const historyFile = join(folder, `${name}-${seed}.jsonl`);
  closeSync(openSync(historyFile, 'w'));
  const history = new HistoryWriter(historyFile, 'harness');
  const stalls = noteStalls(history);
  const traits = stores[name];
  await using store = await traits.start();
  await using publisher = isPublished(store) ? new Publisher(store, history) : undefined;
  const fleet = new Fleet({ store, bundle, history, historyFile, seed, publisher });
  try {
    await fleet.start();
    await settled(historyFile);
    history.write({ kind: 'begun' });
    await perform(scheduleOf(seed, traits.faults), {
      store,
      fleet,
      history,
      onStoreBack: () => publisher?.doubt(),
    });
    history.write({ kind: 'calm' });
    await settled(historyFile);
    history.write({ kind: 'over' });
    history.write({ kind: 'listed', when: 'calm', ports: await listed(store) });
    await fleet.end();
    await publisher?.written();
    history.write({ kind: 'listed', when: 'ended', ports: await listed(store) });
  } catch (error) {
    await fleet.kill();
    throw error;
  } finally {
    clearInterval(stalls);
  }
  const events = readHistory(historyFile);
  const verdict = check(events, { saysStale: traits.saysStale });
  const tookMs = performance.now() - startedAt;
  return { store: name, seed, tookMs, history: events, historyFile, ...verdict };
}

/** Resolves when all was well for a while, or should have been. */
async function settled(historyFile: string): Promise<void> {
  const deadline = performance.now() + settleMs;
  let wellSince = Infinity;
  while (performance.now() < deadline) {
    const isWell = isSettled(readHistory(historyFile));
    wellSince = isWell ? Math.min(wellSince, performance.now()) : Infinity;
    const lookedAt = performance.now();
    if (lookedAt - wellSince >= stillMs) return;
    await wait(lookEveryMs);
    // The ways to the store lead through this process: when it stands still, views may be about to say that they are stale.
    if (performance.now() - lookedAt > 2 * lookEveryMs) wellSince = Infinity;
  }
}

const lookEveryMs = 250;

/** Long enough to see a registration that comes and goes with its renewals. */
const stillMs = 1_000;

async function listed(store: ChaosStore): Promise<readonly number[]> {
  const backend = await openDiscovery(store.placeAt(store.addresses));
  try {
    const instances = await backend.getInstances(service);
    return instances.map(({ port }) => port);
  } finally {
    await backend.close();
  }
}

const isPublished = (store: ChaosStore): store is ChaosStore & PublishedStore => store.publish !== undefined;
