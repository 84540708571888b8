import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePrograms, type Bundle } from '../bundle.ts';
import { explain } from '../report.ts';
import { runOnce } from '../run.ts';
import { scheduleOf } from '../schedule.ts';
import { canRun, storeNames, stores, type StoreName } from '../stores.ts';

/** Short schedules that have each kind of fault between them: see `npm run chaos -- --store redis --seed 2873`. */
const seeds: Readonly<Partial<Record<StoreName, number>>> = {
  redis: 2_873,
  etcd: 2_873,
  consul: 1_241,
  zookeeper: 2_020,
  kubernetes: 2_873,
  dns: 371,
  static: 675,
};

/** The others take three servers or more each: `npm run chaos` has them too. */
const single = storeNames.filter((name) => name in seeds && canRun(name));

let bundle: Bundle;
const folder = mkdtempSync(join(tmpdir(), 'sd-chaos-'));
beforeAll(async () => {
  bundle = await bundlePrograms();
});
afterAll(() => {
  bundle[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

it('the schedules have each kind of fault between them', () => {
  const tried = storeNames.filter((name) => name in seeds);
  const steps = tried.flatMap((name) => scheduleOf(seeds[name] ?? 0, stores[name].faults));
  expect(new Set(steps.map(({ fault }) => fault.name)).size).toBe(18);
});

describe('processes that meet in', () => {
  it.concurrent.each(single)('%s keep what they promise', { timeout: 120_000 }, async (store) => {
    const result = await runOnce({ store, seed: seeds[store] ?? 0, bundle, folder });
    expect(result.violations, explain(result)).toEqual([]);
  });
});
