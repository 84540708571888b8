import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff, follow, type Following, type ServiceInstance } from '@sd/core';
import { FaultProxy, silentLogger } from '@sd/testkit';
import { EtcdCluster, EtcdServer } from '../../../../tools/servers/index.ts';
import { EtcdBackend } from '@sd/etcd';
import { instanceOf, range } from './measure.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const ttl = 3_000;
const providers = 20;
const perProvider = 10;
const rounds = 3;

interface Fault {
  readonly name: string;
  /** Resolves when nothing is wrong any more. */
  strike(stage: Stage): Promise<void>;
}

const alone: readonly Fault[] = [
  { name: 'kill -9, restarted with its data', strike: ({ server }) => server.restart({ keepData: true }) },
  {
    name: `the same, after ${figure((2 * ttl) / 1_000)} s`,
    async strike({ server }) {
      await server.kill();
      await sleep(2 * ttl);
      await server.start({ keepData: true });
    },
  },
  {
    name: 'kill -9, restarted without its data',
    strike: ({ server }) => server.restart({ keepData: false }),
  },
  {
    name: `frozen for ${figure((2 * ttl) / 1_000)} s`,
    async strike({ server }) {
      server.freeze();
      await sleep(2 * ttl);
      server.thaw();
    },
  },
  {
    name: `black hole of ${figure((2 * ttl) / 1_000)} s`,
    async strike({ proxies }) {
      await Promise.all(proxies.map((proxy) => proxy.set({ blackHole: 'both' })));
      await sleep(2 * ttl);
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
  },
  {
    name: 'cut off while the history is compacted',
    async strike({ proxies, nodes }) {
      await Promise.all(proxies.map((proxy) => proxy.set({ refuse: true })));
      for (const proxy of proxies) proxy.reset();
      await nodes[0]?.put('/other', 'x');
      await nodes[0]?.compact();
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
  },
];

const ensemble: readonly Fault[] = [
  {
    name: 'leader of three members killed',
    strike: async ({ leader }) => (await leader?.())?.kill(),
  },
];

interface Stage {
  readonly server: EtcdServer | EtcdCluster;
  readonly nodes: readonly EtcdServer[];
  readonly proxies: readonly FaultProxy[];
  readonly leader?: () => Promise<EtcdServer>;
  mend(): Promise<void>;
}

/** From when the fault is over until all providers are back, and until a change that is made then is seen. */
export async function measureRecovery(): Promise<void> {
  const rows: string[][] = [];
  {
    await using server = await EtcdServer.start();
    const stage = { server, nodes: [server], mend: () => Promise.resolve() };
    for (const fault of alone) rows.push(await recover(fault, stage));
  }
  {
    await using server = await EtcdCluster.start();
    const { nodes } = server;
    const mend = async (): Promise<void> => {
      await Promise.all(nodes.filter(({ isUp }) => !isUp).map((node) => node.start()));
      await server.waitUntilOk();
    };
    const stage = { server, nodes, mend, leader: () => server.leader() };
    for (const fault of ensemble) rows.push(await recover(fault, stage));
  }
  printTable(
    `Recovery: ${providers} providers of ${perProvider} instances each, ttl ${ttl / 1_000} s`,
    [
      'ms after the fault, longest of three',
      'providers are back',
      'a change is seen',
      'a view lacked at most',
    ],
    rows,
  );
}

async function recover(fault: Fault, given: Omit<Stage, 'proxies'>): Promise<string[]> {
  const back: number[] = [];
  const seen: number[] = [];
  let lacked = 0;
  for (const round of range(rounds)) {
    const proxies = await Promise.all(given.nodes.map(({ host, port }) => FaultProxy.listen({ host, port })));
    const stage = { ...given, proxies };
    const prefix = `/recovery-${fault.name.replace(/\W/g, '-')}-${round}/`;
    const endpoints = proxies.map(({ host, port }) => `http://${host}:${port}`);
    // Short, as the ttl is: by default a silent store is noticed well within it.
    const options = { endpoints, prefix, timeoutMs: 1_500, logger: silentLogger };
    const backends = range(providers).map(() => new EtcdBackend(options));
    const consumer = new EtcdBackend(options);
    const stop = new AbortController();
    for (const [p, backend] of backends.entries())
      for (const n of range(perProvider)) void keep(backend, instanceOf(p * perProvider + n), stop.signal);
    const view = follow(consumer, 'orders', { logger: silentLogger });
    await shows(view, ({ length }) => length === providers * perProvider);
    let fewest = Infinity;
    const counting = setInterval(() => (fewest = Math.min(fewest, view.view.instances.length)), 5);

    await fault.strike(stage);
    const startedAt = performance.now();
    const writer = new EtcdBackend({ ...options, endpoints: given.nodes.map(({ url }) => url) });
    const [, backMs] = await Promise.all([
      keep(writer, instanceOf(9_999), stop.signal),
      published(writer, providers * perProvider).then(() => performance.now() - startedAt),
      shows(view, (all) => all.some(({ id }) => id === 'orders-9999')).then(() =>
        seen.push(performance.now() - startedAt),
      ),
    ]);
    back.push(backMs);
    clearInterval(counting);
    lacked = Math.max(lacked, providers * perProvider - fewest);
    stop.abort();
    view.close();
    await Promise.all([...backends, consumer, writer].map((backend) => backend.close()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await given.mend();
  }
  return [fault.name, figure(Math.max(...back)), figure(Math.max(...seen)), String(lacked)];
}

/** As a provider does; resolves when it is published for the first time. */
async function keep(backend: EtcdBackend, instance: ServiceInstance, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ baseMs: 100, capMs: 1_000 });
  while (!signal.aborted) {
    try {
      const { lost } = await backend.register(instance, { ttl });
      lost.addEventListener('abort', () => void keep(backend, instance, signal));
      return;
    } catch {
      await sleep(backoff.next());
    }
  }
}

async function published(backend: EtcdBackend, count: number): Promise<void> {
  for (;;) {
    const all = await backend.getInstances('orders').catch(() => []);
    if (all.filter(({ id }) => id !== 'orders-9999').length === count) return;
    await sleep(5);
  }
}

async function shows(
  view: Following,
  predicate: (all: readonly ServiceInstance[]) => boolean,
): Promise<void> {
  while (!predicate(view.view.instances)) await sleep(2);
}
