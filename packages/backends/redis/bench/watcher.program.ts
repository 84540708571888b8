import { subscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { RedisBackend } from '@sd/redis';
import { costOf, type ClientCost } from './measure.ts';
import { serviceName } from './population.ts';
import { serve } from '../../../../tools/bench/program.ts';

const sockets: Socket[] = [];
subscribe('net.client.socket', (message) => {
  const { socket } = Object(message) as { socket?: unknown };
  if (socket instanceof Socket) sockets.push(socket);
});

/** What the process has used since it began. */
export interface Usage {
  readonly cpuUs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const tasks = {
  /** Each service until it has had its first snapshot, 500 at once, and from then on. */
  async watch(plan: {
    readonly url: string;
    readonly services: number;
    readonly pollMs: number;
  }): Promise<ClientCost> {
    const { url, services, pollMs } = plan;
    const backend = new RedisBackend({ url, pollMs });
    return costOf(services, 500, async (index) => {
      const { signal } = new AbortController();
      const snapshots = backend.watch(serviceName(index), { signal });
      await snapshots.next();
      void snapshots.next(); // a failure ends this process
    });
  },

  async usage(): Promise<Usage> {
    const { user, system } = process.cpuUsage();
    const total = (count: (socket: Socket) => number): number =>
      sockets.reduce((sum, socket) => sum + count(socket), 0);
    return {
      cpuUs: user + system,
      bytesIn: total(({ bytesRead }) => bytesRead),
      bytesOut: total(({ bytesWritten }) => bytesWritten),
    };
  },

  async memory(): Promise<NodeJS.MemoryUsage> {
    globalThis.gc?.();
    return process.memoryUsage();
  },
};

export type WatcherTasks = typeof tasks;
serve(tasks);
