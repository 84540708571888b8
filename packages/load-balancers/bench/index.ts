import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { EndpointPool } from '../src/index.ts';
import { contestants, instances } from './contestants.ts';
import { cpuNs, median } from './measure.ts';
import { peers } from './peers.ts';
import type { Question } from './worker.ts';

const quick = process.argv.includes('--quick');
const sizes = quick ? [3, 1_000] : [3, 100, 1_000, 10_000];
const [rounds, ms] = quick ? [3, 5] : [9, 20];
const withPeers = !process.argv.includes('--no-peers') && peersInstalled();

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
  const entrants = [...contestants, ...(withPeers ? peers : [])].map(({ name, step }, index) => {
    const worker = fork(new URL('worker.ts', import.meta.url), [String(index)]);
    return { name, step, worker, exited: once(worker, 'exit'), times: sizes.map((): number[] => []) };
  });
  for (let round = 0; round < rounds; round += 1) {
    for (const [place, n] of sizes.entries()) {
      for (const { worker, exited, times } of entrants) {
        times[place]?.push(await ask(worker, exited, { what: 'time', n, ms }));
      }
    }
  }
  const results = new Map<string, Result[]>([
    ['pick', []],
    ['pick and finish', []],
  ]);
  for (const { name, step, worker, exited, times } of entrants) {
    const bytes = await ask(worker, exited, { what: 'bytes', n: sizes.at(-1) ?? 1, ms });
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
  const row = (name: string, cells: readonly string[], bytes: string): string =>
    `| ${name.padEnd(31)} | ${cells.map((cell) => cell.padStart(16)).join(' | ')} | ${bytes.padStart(7)} |`;
  const heads = sizes.map((n) => `n = ${n.toLocaleString('en')}`);
  console.log(`\n${row(title, heads, 'bytes')}`);
  console.log(
    row(
      '---',
      sizes.map(() => '---:'),
      '---:',
    ),
  );
  for (const { name, ns, bytes } of results) {
    const cells = ns.map((time, place) => `${figure(time)} (${figure(time / (plain[place] ?? time))}x)`);
    console.log(row(name, cells, bytes < 1_000 ? bytes.toFixed(1) : figure(bytes)));
  }
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

/** The time to apply a snapshot in which one of 10,000 instances changed its weight. */
function measureUpdates(): void {
  console.log('\n| snapshot with 1 of 10,000 changed | CPU ms |\n| --- | ---: |');
  const before = instances(10_000);
  const after = before.map((instance, index) => (index === 0 ? { ...instance, weight: 2 } : instance));
  const strategies = contestants.filter(({ step }) => step === 'pick and finish').map(({ name }) => name);
  for (const strategy of ['the pool alone', ...strategies.filter((name) => !name.includes(','))]) {
    const pool = new EndpointPool({ service: 'orders', zone: 'zone-0' });
    if (strategy !== 'the pool alone') pool.set(strategy).pick({ key: undefined, tried: [] });
    const samples = Array.from({ length: quick ? 11 : 41 }, (_, index) =>
      cpuNs(() => pool.update(index % 2 === 0 ? before : after)),
    );
    console.log(`| ${strategy.padEnd(33)} | ${(median(samples) / 1e6).toFixed(1).padStart(6)} |`);
  }
}

/** They stand outside the workspaces, so that nobody installs them but who runs this. */
function peersInstalled(): boolean {
  const folder = fileURLToPath(new URL('../../../tools/bench-peers', import.meta.url));
  if (existsSync(`${folder}/node_modules`)) return true;
  console.log('Installing the peers to compare with (once, about 60 MB) …');
  try {
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

console.log(
  `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown CPU'}; median of ${rounds} rounds, in CPU time.`,
);
const [picks = [], picksAndFinishes = []] = await measurePicks();
const plain = picks[0]?.ns ?? [];
printPicks('pick: ns (x plain index)', picks, plain);
if (!withPeers) console.log('Peers: not installed.');
printPicks('pick and finish', picksAndFinishes, plain);
measureUpdates();
