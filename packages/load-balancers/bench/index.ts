import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chosenParts, isQuick as quick } from '../../../tools/bench/command-line.ts';
import { withPeers as hasPeers } from '../../../tools/bench/peers.ts';
import { median } from '../../../tools/bench/statistics.ts';
import { printMachine, printTable } from '../../../tools/bench/table.ts';
import { contestants, instances, plainIndexName, poolWithAllLayers } from './contestants.ts';
import { cpuNs } from './measure.ts';
import { peers } from './peers.ts';
import type { Question } from './worker.ts';

const sizes = quick ? [3, 1_000] : [3, 100, 1_000, 10_000];
const [rounds, ms] = quick ? [3, 5] : [9, 20];
/** A part is a strategy, beside the plain index. */
const isWanted = ({ name }: { readonly name: string }): boolean =>
  chosenParts.length === 0 || name === plainIndexName || chosenParts.includes(name);
const withPeers = hasPeers();

/** Nanoseconds by size, and bytes at the largest size, of a step. */
interface Result {
  readonly name: string;
  readonly ns: readonly number[];
  readonly bytes: number;
}

/**
 * Each contestant in a process of its own, so that none is compiled for the shapes of another; one at a time, and all
 * in turn in each round, so that the noise of the machine hits all alike.
 */
async function measurePicks(): Promise<readonly (readonly Result[])[]> {
  const entrants = [...contestants, ...(withPeers ? peers : [])]
    .filter(isWanted)
    .map(({ name, step, upTo }) => {
      const worker = fork(new URL('worker.ts', import.meta.url), [name, step]);
      const times = sizes.map((): number[] => []);
      return { name, step, upTo, worker, exited: once(worker, 'exit'), times };
    });
  for (let round = 0; round < rounds; round += 1) {
    for (const [place, n] of sizes.entries()) {
      for (const { worker, exited, times, upTo = Infinity } of entrants) {
        if (n > upTo) continue;
        times[place]?.push(await ask(worker, exited, { what: 'time', n, ms }));
      }
    }
  }
  const results = new Map<string, Result[]>([
    ['pick', []],
    ['pick and finish', []],
  ]);
  for (const { name, step, worker, exited, times, upTo = Infinity } of entrants) {
    const n = Math.max(...sizes.filter((size) => size <= upTo));
    const bytes = await ask(worker, exited, { what: 'bytes', n, ms });
    results.get(step)?.push({ name, ns: times.map(median), bytes });
    if (worker.connected) worker.disconnect();
    await exited;
  }
  return [...results.values()];
}

/** NaN from one that could not do it. */
async function ask(worker: ChildProcess, exited: Promise<unknown>, question: Question): Promise<number> {
  if (!worker.connected) return Number.NaN;
  const answered = once(worker, 'message');
  worker.send(question);
  const answer = await Promise.race([answered, exited.then(() => [Number.NaN])]);
  return Number(answer[0]);
}

/** A table with what a step takes and how many times the plain index that is. */
function printPicks(title: string, results: readonly Result[], plain: readonly number[]): void {
  const heads = ['CPU ns', ...sizes.map((n) => `n = ${n.toLocaleString('en')}`), 'bytes'];
  const rows = results.map(({ name, ns, bytes }) => [
    name,
    ...ns.map((time, place) =>
      Number.isNaN(time) ? '' : `${figure(time)} (${figure(time / (plain[place] ?? time))}x)`,
    ),
    figure(bytes),
  ]);
  printTable(title, heads, rows);
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

/** The time to apply a snapshot in which one of 10,000 instances changed, was added, or is ejected. */
function measureUpdates(): void {
  const rows: string[][] = [];
  const all = instances(10_000);
  const weighed = all.map((instance, index) => (index === 5_000 ? { ...instance, weight: 2 } : instance));
  const fewer = all.filter((_, index) => index !== 5_000);
  const strategies = contestants.filter(
    ({ step, name }) => step === 'pick and finish' && !name.includes(','),
  );
  for (const { name } of [{ name: 'the pool alone' }, ...strategies.filter(isWanted)]) {
    const pool = poolWithAllLayers(10_000);
    if (name !== 'the pool alone') pool.set(name).pick({ key: undefined, tried: [] });
    const endpoint = pool.endpoints[7_000];
    const cells = [
      alternately(
        () => pool.update(weighed),
        () => pool.update(all),
      ),
      alternately(
        () => pool.update(fewer),
        () => pool.update(all),
      ),
      alternately(
        () => endpoint && pool.eject(endpoint, 1e6),
        () => endpoint && pool.restore(endpoint),
      ),
    ];
    rows.push([name, ...cells.map((ms) => ms.toFixed(ms < 0.1 ? 4 : 2))]);
    pool.close();
  }
  printTable(
    'A change among 10,000 endpoints: CPU ms',
    ['', 'weight of 1 changed', '1 left or joined', '1 ejected or returned'],
    rows,
  );
}

/** Milliseconds of CPU time, once it is compiled: the mean of many, as the clock of CPU time is coarse. */
function alternately(there: () => void, back: () => void): number {
  const rounds = quick ? 30 : 150;
  const run = (): void => {
    for (let round = 0; round < rounds; round += 1) {
      there();
      back();
    }
  };
  run();
  return median(Array.from({ length: 5 }, () => cpuNs(run) / (2 * rounds))) / 1e6;
}

printMachine(`medians of ${rounds} rounds, in turn, in CPU time`);
const [picks = [], picksAndFinishes = []] = await measurePicks();
const plain = picks[0]?.ns ?? [];
printPicks('Pick: ns (x plain index)', picks, plain);
printPicks('Pick and finish: ns (x plain index)', picksAndFinishes, plain);
measureUpdates();
