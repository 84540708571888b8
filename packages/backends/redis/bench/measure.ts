import { median } from '../../../../tools/bench/statistics.ts';
import type { RedisServer } from '../../../../tools/servers/index.ts';

/** What a step takes, in microseconds: by the clock, and of the CPU of the client and of the server. */
export interface Cost {
  readonly wall: number;
  readonly client: number;
  readonly server: number;
}

export type ClientCost = Omit<Cost, 'server'>;

/** Takes steps, so many at once, in the process that is to be measured. */
export async function costOf(
  steps: number,
  atOnce: number,
  step: (index: number) => Promise<unknown>,
): Promise<ClientCost> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < steps) await step(next++);
  };
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, lane));
  const wall = ((performance.now() - startedAt) * 1_000) / steps;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wall, client: (user + system) / steps };
}

/** Adds what it took the server. */
export async function withServer(
  server: RedisServer,
  steps: number,
  work: () => Promise<ClientCost>,
): Promise<Cost> {
  const before = await serverCpuUs(server);
  const cost = await work();
  return { ...cost, server: ((await serverCpuUs(server)) - before) / steps };
}

export async function serverCpuUs(server: RedisServer): Promise<number> {
  const info = await server.info('cpu');
  return (Number(info.get('used_cpu_user')) + Number(info.get('used_cpu_sys'))) * 1e6;
}

export function medianCost(costs: readonly Cost[]): Cost {
  const of = (part: keyof Cost): number => median(costs.map((cost) => cost[part]));
  return { wall: of('wall'), client: of('client'), server: of('server') };
}
