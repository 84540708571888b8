import { parseArgs } from 'node:util';
import { footprint, openFiles, type Footprint } from './footprint.ts';
import { slope } from './slope.ts';

export interface SoakOptions {
  readonly name: string;
  /** What is counted: `call`, `lease`. */
  readonly unit: string;
  /** How many make an hour, and how many the quick variant. */
  readonly units: { readonly long: number; readonly quick: number };
  /** What one of them may leave behind, in bytes, beside what a heap varies by itself. */
  readonly bytes: number;
  readonly work: (units: number) => Promise<void>;
  /** On what outlives a unit. Default: none. */
  readonly listeners?: () => number;
  readonly close: () => Promise<void>;
}

export interface SoakReport {
  readonly name: string;
  readonly unit: string;
  readonly units: number;
  readonly seconds: number;
  readonly bytesPerUnit: number;
  readonly mostBytesPerUnit: number;
  /** For each checkpoint. */
  readonly growth: Readonly<Record<Exclude<keyof Footprint, 'heapBytes'>, number>>;
  readonly heapMb: readonly number[];
  /** What is left once all is closed, beyond what the process had when it began. */
  readonly left: Readonly<Record<Exclude<keyof Footprint, 'heapBytes'>, number>>;
  readonly problems: readonly string[];
}

/**
 * What a heap was seen to grow by until it stays as it is, whatever is done: code that is compiled late, tables that reach
 * their size. The fewer units, the more of it falls to each: a short run finds what keeps a client, a long one all.
 */
const noiseBytes = 1_500_000;

/** So many are compared; the third of all work that is done before is to compile and to fill caches. */
const checkpoints = 9;

/** Works, looks at what the process holds, and works on; prints what came of it as JSON. `--quick`, `--units N`. */
export async function soak(before: Footprint, options: SoakOptions): Promise<void> {
  const { name, unit, work, close, listeners = () => 0 } = options;
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, units: { type: 'string' } },
    allowPositionals: true, // of the program
  });
  const variant = values.quick === true ? 'quick' : 'long';
  const units = Number(values.units ?? options.units[variant]);
  const each = Math.ceil(units / (1.5 * (checkpoints - 1)));
  const startedAt = performance.now();
  await work(4 * each);
  const held = [await footprint(listeners)];
  while (held.length < checkpoints) {
    await work(each);
    held.push(await footprint(listeners));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await close();
  let after = await footprint(listeners);
  // A socket that we have ended is gone when the other side has ended it as well; one that leaks stays.
  for (let time = 0; time < 200 && after.files > before.files; time += 1) after = await footprint(listeners);
  const of = (field: keyof Footprint): readonly number[] => held.map((one) => one[field]);
  const bytesPerUnit = slope(of('heapBytes')) / each;
  const mostBytesPerUnit = options.bytes + noiseBytes / units;
  const growth = {
    resources: slope(of('resources')),
    files: slope(of('files')),
    listeners: slope(of('listeners')),
  };
  const left = {
    resources: after.resources - before.resources,
    files: after.files - before.files,
    listeners: after.listeners - before.listeners,
  };
  const problems = [
    ...(bytesPerUnit > mostBytesPerUnit
      ? [`the heap grows by ${bytesPerUnit.toFixed(1)} bytes for each ${unit}`]
      : []),
    // One in each of two checkpoints: less comes from what happens to be under way.
    ...Object.entries(growth).flatMap(([what, by]) =>
      by > 0.5 ? [`${what} grow by ${by.toFixed(2)} a checkpoint`] : [],
    ),
    ...Object.entries(left).flatMap(([what, count]) =>
      count > 0 ? [`${count} ${what} are left after the end`] : [],
    ),
    ...(left.files > 0 ? [`open are ${openFiles().join(', ')}`] : []),
  ];
  const heapMb = of('heapBytes').map((bytes) => Number((bytes / 2 ** 20).toFixed(2)));
  const report: SoakReport = {
    name,
    unit,
    units,
    seconds,
    bytesPerUnit,
    mostBytesPerUnit,
    growth,
    heapMb,
    left,
    problems,
  };
  console.log(JSON.stringify(report));
}
