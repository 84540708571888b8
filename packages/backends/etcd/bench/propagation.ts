import { quantile } from '../../../../tools/bench/statistics.ts';
import { encodeInstance } from '@sd/core';
import { Etcd3 } from 'etcd3';
import { EtcdServer } from '../../../../tools/servers/index.ts';
import { EtcdBackend } from '@sd/etcd';
import { instanceOf } from './measure.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const times = 2_000;
const warmUp = 200;

/** One change at a time, from one client to another in the same process, by both in turn. */
export async function measurePropagation(): Promise<void> {
  await using server = await EtcdServer.start();
  await using provider = new EtcdBackend({ endpoints: server.url });
  await using consumer = new EtcdBackend({ endpoints: server.url });
  const [rawProvider, rawConsumer] = [new Etcd3({ hosts: server.url }), new Etcd3({ hosts: server.url })];
  const instance = instanceOf(1);

  let rawSeen = (): void => undefined;
  const watcher = await rawConsumer.watch().prefix('raw/orders/').create();
  watcher.on('put', ({ value }) => {
    JSON.parse(value.toString());
    rawSeen();
  });
  const lease = await provider.register(instance, { ttl: 60_000 });
  let seen = (): void => undefined;
  const stop = new AbortController();
  const watching = (async () => {
    for await (const _ of consumer.watch('orders', { signal: stop.signal })) seen();
  })();

  const ours: number[] = [];
  const others: number[] = [];
  for (let n = 0; n < warmUp + times; n += 1) {
    const weight = 2 + (n % 1_000);
    const startedAt = performance.now();
    const told = new Promise<void>((resolve) => (seen = resolve));
    await Promise.all([lease.update({ ...instance, weight }), told]);
    const between = performance.now();
    const rawTold = new Promise<void>((resolve) => (rawSeen = resolve));
    const put = rawProvider
      .put('raw/orders/orders-1')
      .value(encodeInstance({ ...instance, weight }))
      .exec();
    await Promise.all([put, rawTold]);
    if (n < warmUp) continue;
    ours.push(between - startedAt);
    others.push(performance.now() - between);
  }
  stop.abort();
  await watching;
  await watcher.cancel();
  rawProvider.close();
  rawConsumer.close();

  const row = (name: string, values: readonly number[]): string[] => [
    name,
    ...[0.5, 0.9, 0.99].map((share) => {
      const value = quantile(values, share);
      return `${figure(value)} (${figure(value / quantile(others, share))}x)`;
    }),
  ];
  printTable(
    `A change, until it is written and seen: ${figure(times)} by each, one at a time`,
    ['ms', 'p50', 'p90', 'p99'],
    [
      row('etcd3: put(), to the event of its watcher', others),
      row('sd: Lease.update(), to the snapshot of a watch', ours),
    ],
  );
  console.log('\n(…x): beside etcd3. Bar of p99: 1.5x.');
}
