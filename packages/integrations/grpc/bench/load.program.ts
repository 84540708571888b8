import type { Client } from '@grpc/grpc-js';
import { makeContestants, type ContestantName } from './contestants.ts';
import { echo } from './echo.ts';
import { serve } from '../../../../tools/bench/program.ts';

interface Round {
  readonly name: ContestantName;
  readonly ports: readonly number[];
  readonly callers: number;
  readonly ms: number;
}

export interface Figures {
  readonly perSecond: number;
  /** CPU time of this process for each call, in microseconds. */
  readonly cpuUs: number;
}

const message = Buffer.alloc(100, 'x');
let contestants: Awaited<ReturnType<typeof makeContestants>> | undefined;

// All contestants in one process, so that they take turns on a machine that is equally warm.
const tasks = {
  async round({ name, ports, callers, ms }: Round): Promise<Figures> {
    contestants ??= await makeContestants(ports);
    const client = contestants[name];
    let calls = 0;
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    const caller = async (): Promise<void> => {
      while (performance.now() - startedAt < ms) {
        await call(client);
        calls += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const tookMs = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: (calls * 1_000) / tookMs, cpuUs: (user + system) / calls };
  },
};

export type LoadTasks = typeof tasks;
serve(tasks);

function call(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(echo.path, echo.requestSerialize, echo.responseDeserialize, message, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}
