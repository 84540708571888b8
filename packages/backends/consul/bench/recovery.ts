import { setTimeout as sleep } from 'node:timers/promises';
import { systemRng, type Lease } from '@sd/core';
import { eventually, FaultProxy, realTime, silentLogger, ViewRecorder } from '@sd/testkit';
import { ConsulBackend } from '@sd/consul';
import { example, Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const ttl = 6_000;

/** Trouble begins, and ends: how long from then until providers are back, and until a watcher sees a change. */
export async function measureRecovery(): Promise<void> {
  const rows: string[][] = [];
  await using stage = await Stage.open(true);
  const { server } = stage;
  const proxy = await FaultProxy.listen({ host: server.host, port: server.port });
  const url = `http://${proxy.host}:${proxy.port}`;
  // Short, as the ttl is: by default a silent store is noticed well within it.
  const options = { url, timeoutMs: 1_000, logger: silentLogger };
  const providers = Array.from({ length: 20 }, (_, n) => keepPublished(new ConsulBackend(options), n));
  const consumer = new ConsulBackend(options);
  const view = new ViewRecorder(consumer, 'orders', { time: realTime(), rng: systemRng, ttl });
  await view.shows(({ length }) => length === 20, 20_000);

  const troubles: readonly (readonly [string, () => Promise<void>])[] = [
    ['kill -9, back with data', () => server.restart({ keepData: true })],
    [
      'kill -9, back with data after 2 ttl',
      async () => {
        await server.kill();
        await sleep(2 * ttl);
        await server.start({ keepData: true });
      },
    ],
    ['kill -9, back wiped', () => server.restart({ keepData: false })],
    [
      'frozen for 2 ttl',
      async () => {
        server.freeze();
        await sleep(2 * ttl);
        server.thaw();
      },
    ],
    [
      'black hole for 2 ttl',
      async () => {
        await proxy.set({ blackHole: 'both' });
        await sleep(2 * ttl);
        await proxy.heal();
      },
    ],
    [
      'index reset: a snapshot from before is restored',
      async () => {
        await fetch(`${server.url}/v1/snapshot`, { method: 'PUT', body: await snapshot });
      },
    ],
  ];
  const snapshot = fetch(`${server.url}/v1/snapshot`).then((response) => response.arrayBuffer());
  await snapshot;
  for (const [index, [name, trouble]] of troubles.entries()) {
    await sleep(ttl);
    const from = view.views.length;
    await trouble();
    const endedAt = performance.now();
    const since = (): string => figure((performance.now() - endedAt) / 1_000);
    const back = (async () => {
      while ((await alive(server)) < 20) await sleep(20);
      return since();
    })();
    const seen = (async () => {
      const change = { Name: 'orders', ID: `new-${index}`, Port: 9 };
      // A server that has just started may break a connection.
      await eventually(() => server.command('PUT', 'agent/service/register', change), { timeoutMs: 10_000 });
      await view
        .shows((all) => all.some(({ id }) => id.endsWith(`new-${index}`)), 60_000)
        .catch(() => undefined);
      return since();
    })();
    const live = view.shows(({ length }) => length > 20, 60_000).then(since, () => 'not within 60');
    const [providersBack, changeSeen, whole] = [await back, await seen, await live];
    rows.push([name, providersBack, changeSeen, whole, figure(view.fewest(from))]);
    await server.command('PUT', `agent/service/deregister/new-${index}`);
  }
  printTable(
    `Recovery: 20 providers, ttl ${ttl / 1_000} s, in seconds after the trouble has ended`,
    ['', 'providers back', 'change seen', 'view live and whole', 'fewest in the view'],
    rows,
  );
  view.close();
  for (const provider of providers) await provider();
  await consumer.close();
  await proxy.close();
}

/** As `ServiceRegistry` does: registers again whatever is lost. @returns how to end it */
function keepPublished(backend: ConsulBackend, n: number): () => Promise<void> {
  let isOver = false;
  const keep = async (): Promise<void> => {
    while (!isOver) {
      const lease = await backend.register(example(n), { ttl }).catch(() => undefined);
      if (lease !== undefined) await lost(lease);
      await sleep(Math.random() * 1_000, undefined, { ref: false });
    }
  };
  void keep();
  return async () => {
    isOver = true;
    await backend.close();
  };
}

async function lost({ lost: signal }: Lease): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

async function alive(server: Stage['server']): Promise<number> {
  const entries = await server
    .command('GET', 'health/service/orders?passing&filter=Service.Meta["sd-id"]!=""')
    .catch(() => []);
  return Array.isArray(entries) ? entries.length : 0;
}
