import { contestants } from './contestants.ts';
import { bytesPerStep, calibrate, cpuNs } from './measure.ts';
import { peers } from './peers.ts';

/** What this process is asked, and what it answers: nanoseconds or bytes per step. */
export interface Question {
  readonly what: 'time' | 'bytes';
  readonly n: number;
  readonly ms: number;
}

const contestant = [...contestants, ...peers].find(
  ({ name, step }) => name === process.argv[2] && step === process.argv[3],
);
const prepared = new Map<number, { readonly run: (count: number) => void; readonly steps: number }>();

process.on('message', ({ what, n, ms }: Question) => {
  const { run, steps } = prepared.get(n) ?? prepare(n, ms);
  const answer = what === 'time' ? cpuNs(() => run(steps)) / steps : bytesPerStep(run);
  process.send?.(answer);
});

function prepare(n: number, ms: number) {
  if (contestant === undefined) throw new Error(`There is no contestant ${process.argv[2] ?? ''}`);
  // Code that has met one pool alone is compiled for that pool; a process has several.
  if (prepared.size === 0) for (const size of [5, 7]) calibrate(contestant.prepare(size), ms);
  const run = contestant.prepare(n);
  calibrate(run, ms);
  const entry = { run, steps: calibrate(run, ms) };
  prepared.set(n, entry);
  return entry;
}
