import { follow, type Following } from '@sd/core';
import { eventually, FaultProxy, silentLogger } from '@sd/testkit';
import { KubernetesServer } from '../../../../tools/servers/index.ts';
import { KubernetesBackend } from '@sd/kubernetes';
import { manySlices, slicesPath } from './samples.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** With the default options but for those that are named. */
export async function measureRecovery(): Promise<void> {
  const rows: string[][] = [];
  for (const [name, trouble] of Object.entries(troubles)) rows.push([name, ...(await measure(trouble))]);
  printTable('Recovery', ['what happens', 'noticed after ms', 'change seen after ms'], rows);
}

interface Stage {
  readonly server: KubernetesServer;
  readonly proxy: FaultProxy;
}

interface Trouble {
  readonly begin: (stage: Stage) => Promise<void>;
  /** Resolves when the server serves; what is changed then must be seen. */
  readonly end: (stage: Stage) => Promise<void>;
  readonly idleMs?: number;
}

const slices = manySlices(11, 10, 1);
const write = async ({ server }: Stage, count: number): Promise<void> => {
  for (const slice of slices.slice(0, count)) await server.command('POST', slicesPath, slice);
};

const troubles: Readonly<Record<string, Trouble>> = {
  'kill -9, back with its data': {
    begin: ({ server }) => server.kill(),
    end: ({ server }) => server.start({ keepData: true }),
  },
  'kill -9, back without, written again': {
    begin: ({ server }) => server.kill(),
    async end(stage) {
      await stage.server.start({ keepData: false });
      await write(stage, 10);
    },
  },
  'frozen, idleMs 2000': {
    begin: async ({ server }) => server.freeze(),
    end: async ({ server }) => server.thaw(),
    idleMs: 2_000,
  },
  'black hole, idleMs 2000': {
    begin: ({ proxy }) => proxy.set({ blackHole: 'both' }),
    end: ({ proxy }) => proxy.heal(),
    idleMs: 2_000,
  },
};

async function measure({ begin, end, idleMs = 90_000 }: Trouble): Promise<readonly string[]> {
  await using server = await KubernetesServer.start();
  const proxy = await FaultProxy.listen({ host: server.host, port: server.port });
  const stage = { server, proxy };
  await write(stage, 10);
  await using backend = new KubernetesBackend({
    url: `http://127.0.0.1:${proxy.port}`,
    token: server.readerToken,
    namespace: 'demo',
    idleMs,
    logger: silentLogger,
  });
  const following: Following = follow(backend, 'web-0', { logger: silentLogger });
  await following.ready();
  const beganAt = performance.now();
  await begin(stage);
  await eventually(() => isTrue(following.view.state === 'stale'), { timeoutMs: 60_000 });
  const noticedMs = performance.now() - beganAt;
  await end(stage);
  const endedAt = performance.now();
  await server.command('POST', slicesPath, slices[10]);
  await eventually(() => isTrue(following.view.state === 'live' && following.view.instances.length === 110), {
    timeoutMs: 60_000,
  });
  const seenMs = performance.now() - endedAt;
  following.close();
  await proxy.close();
  return [figure(noticedMs), figure(seenMs)];
}

function isTrue(value: boolean): void {
  if (!value) throw new Error('not yet');
}
