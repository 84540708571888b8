import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePrograms, type Bundle } from '../bundle.ts';
import { explain } from '../report.ts';
import { runOnce } from '../run.ts';
import { canRun, storeNames } from '../stores.ts';

/** Chosen for what it does, as it is short: see `npm run chaos -- --seed 999`. Each store is tried with it. */
const seed = 999;

/** The others take three servers each: `npm run chaos` has them too. */
const single = storeNames.filter((name) => !/cluster|ensemble/.test(name) && canRun(name));

let bundle: Bundle;
const folder = mkdtempSync(join(tmpdir(), 'sd-chaos-'));
beforeAll(async () => {
  bundle = await bundlePrograms();
});
afterAll(() => {
  bundle[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

describe('processes that meet in', () => {
  it.concurrent.each(single)('%s keep what they promise', { timeout: 120_000 }, async (store) => {
    const result = await runOnce({ store, seed, bundle, folder });
    expect(result.violations, explain(result)).toEqual([]);
  });
});
