import { contestants, type Contestant, type ContestantName } from './contestants.ts';
import { cpuMs, now, serve } from '../../../tools/bench/program.ts';

// All contestants in one process, so that they take turns on a machine that is equally warm.
const made = new Map<ContestantName, Contestant>();

const tasks = {
  /** @returns calls a second, and CPU time of this process for each, in microseconds */
  async round(plan: {
    readonly name: ContestantName;
    readonly ports: readonly number[];
    readonly callers: number;
    readonly ms: number;
  }): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
    const { name, ports, callers, ms } = plan;
    const contestant = made.get(name) ?? (await contestants[name]({ ports, attemptTimeoutMs: 5_000 }));
    made.set(name, contestant);
    let count = 0;
    const cpuBefore = cpuMs();
    const startedAt = now();
    const lane = async (): Promise<void> => {
      while (now() - startedAt < ms) {
        await contestant.get('/items');
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, lane));
    const tookMs = now() - startedAt;
    return { perSecond: (count * 1_000) / tookMs, cpuUs: ((cpuMs() - cpuBefore) * 1_000) / count };
  },
};

export type OverheadTasks = typeof tasks;
serve(tasks);
