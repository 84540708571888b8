import type { Bar } from './bars.ts';
import type { ContestantName } from './contestants.ts';
import type { OverheadTasks } from './overhead.program.ts';
import { Program } from '../../../tools/bench/program.ts';
import { Stage } from './stage.ts';
import { median, quantile } from '../../../tools/bench/statistics.ts';
import { figure, printTable } from '../../../tools/bench/table.ts';
import { inTurn } from '../../../tools/bench/turns.ts';

export interface OverheadResult {
  readonly name: ContestantName;
  readonly perSecond: number;
  readonly cpuUs: number;
  /** Calls a second by those of got in the same round: quartiles. */
  readonly ofGot: readonly [number, number, number];
}

const callers = 20;

/** What the client itself costs: servers that answer at once, and short rounds in which all take turns. */
export async function measureOverhead(
  names: readonly ContestantName[],
  quick: boolean,
): Promise<readonly OverheadResult[]> {
  const [rounds, ms] = quick ? [9, 300] : [60, 300];
  await using stage = await Stage.build({ workMs: [0, 0], slots: Infinity, queue: 0 });
  await using client = new Program<OverheadTasks>(new URL('overhead.program.ts', import.meta.url));
  const all = [...new Set<ContestantName>(['got', ...names])];
  const measured = await inTurn(all, { rounds, warmUps: 2 }, (name) =>
    client.ask('round', { name, ports: stage.ports, callers, ms }),
  );
  const gots = measured.get('got') ?? [];
  const results = [...measured].map(([name, figures]): OverheadResult => {
    const ratios = figures.map(({ perSecond }, round) => perSecond / (gots[round]?.perSecond ?? Number.NaN));
    return {
      name,
      perSecond: median(figures.map(({ perSecond }) => perSecond)),
      cpuUs: median(figures.map(({ cpuUs }) => cpuUs)),
      ofGot: [quantile(ratios, 0.25), median(ratios), quantile(ratios, 0.75)],
    };
  });
  printTable(
    `Overhead: ${callers} callers, medians of ${rounds} rounds of ${ms / 1_000} s`,
    ['', 'calls/s', 'of got', 'quartiles', 'client CPU us/call'],
    results.map(({ name, perSecond, cpuUs, ofGot: [low, middle, high] }) => [
      name,
      figure(perSecond),
      middle.toFixed(3),
      `${low.toFixed(3)} - ${high.toFixed(3)}`,
      figure(cpuUs),
    ]),
  );
  return results;
}

export function overheadBars({ ofGot: [, middle] }: OverheadResult): readonly Bar[] {
  return [{ what: 'overhead', is: `${middle.toFixed(3)} of got`, bar: '>= 0.95', ok: middle >= 0.95 }];
}
