import { cpuMs, now, serve } from '../../../../tools/bench/program.ts';
import { contestants, type Contestant, type ContestantName } from './contestants.ts';

// One contestant, or several that take turns.
const made = new Map<ContestantName, Contestant>();

const tasks = {
  /** @returns requests a second, and CPU time of this process for each, in microseconds */
  async round(plan: {
    readonly name: ContestantName;
    readonly ports: readonly number[];
    readonly concurrency: number;
    readonly ms: number;
  }): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
    const { name, ports, concurrency, ms } = plan;
    const get = made.get(name) ?? (await contestants[name](ports));
    made.set(name, get);
    let count = 0;
    const lane = async (until: number): Promise<void> => {
      while (now() < until) {
        await get();
        count += 1;
      }
    };
    const measure = (until: number) => Promise.all(Array.from({ length: concurrency }, () => lane(until)));
    await measure(now() + ms / 5); // connections are open, and warm
    count = 0;
    const cpuBefore = cpuMs();
    const startedAt = now();
    await measure(startedAt + ms);
    const tookMs = now() - startedAt;
    return { perSecond: (count * 1_000) / tookMs, cpuUs: ((cpuMs() - cpuBefore) * 1_000) / count };
  },
};

export type LoadTasks = typeof tasks;
serve(tasks);
