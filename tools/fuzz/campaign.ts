import { seededRng, type Rng } from '@sd/core';
import { corpusOf, problemOf } from './corpus.ts';
import type { Coverage } from './coverage.ts';
import { below, choose, mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

export interface CampaignOptions {
  readonly target: FuzzTarget;
  readonly coverage: Coverage;
  readonly seed: number;
  /** How long, in milliseconds. */
  readonly forMs: number;
  readonly onFound: (input: Buffer, problem: string) => void;
  /** It reaches what none before has reached. */
  readonly onReached: (input: Buffer) => void;
}

export interface CampaignReport {
  readonly runs: number;
  /** Inputs that are built upon, at the end. */
  readonly inputs: number;
  readonly newCode: number;
  /** Different problems, by their first line. */
  readonly found: number;
}

/** Asking for coverage takes longer than most runs, so it is asked for many at once. */
const batchSize = 64;
const mostFound = 10;

/** Changes what is known, keeps what reaches new code, and builds upon that. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { target, coverage, seed, forMs, onFound, onReached } = options;
  const rng = seededRng(seed);
  const inputs = corpusOf(target).map(({ input }) => input);
  const problems = new Set<string>();
  let runs = 0;
  const tell = async (input: Buffer): Promise<void> => {
    runs += 1;
    const problem = await problemOf(target, input);
    const kind = problem === undefined ? undefined : kindOf(problem);
    if (problem === undefined || kind === undefined || problems.has(kind)) return;
    problems.add(kind);
    onFound(target.mostMs === undefined ? await smaller(target, input, kind) : input, problem);
  };
  for (const input of inputs) await tell(input);
  coverage.hasGrown();
  const before = coverage.count;
  const endAt = performance.now() + forMs;
  while (performance.now() < endAt && problems.size < mostFound) {
    const length = target.mostMs === undefined ? batchSize : 1;
    const batch = Array.from({ length }, () => next(target, inputs, rng));
    for (const input of batch) await tell(input);
    if (!coverage.hasGrown({ note: false })) continue;
    for (const input of batch) {
      const isRight = (await problemOf(target, input)) === undefined;
      if (!coverage.hasGrown() || !isRight) continue;
      inputs.push(input);
      onReached(input);
    }
  }
  return { runs, inputs: inputs.length, newCode: coverage.count - before, found: problems.size };
}

function next(target: FuzzTarget, inputs: readonly Buffer[], rng: Rng): Buffer {
  // What came last is what was reached last.
  const isRecent = rng() < 0.5;
  const base = isRecent
    ? inputs[inputs.length - 1 - below(Math.min(8, inputs.length), rng)]
    : choose(inputs, rng);
  return mutate(target, base ?? Buffer.alloc(0), { rng, rounds: 1 + below(6, rng), others: inputs });
}

const kindOf = (problem: string): string => problem.split('\n').slice(0, 2).join('\n').replace(/\d+/g, '0');

/** Pieces are left out as long as the same is wrong. */
async function smaller(target: FuzzTarget, input: Buffer, kind: string): Promise<Buffer> {
  let least = input;
  let tries = 0;
  for (let size = Math.ceil(least.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < least.length && tries < 400;) {
      tries += 1;
      const without = Buffer.concat([least.subarray(0, at), least.subarray(at + size)]);
      const problem = await problemOf(target, without);
      if (problem !== undefined && kindOf(problem) === kind) least = without;
      else at += size;
    }
  }
  return least;
}
