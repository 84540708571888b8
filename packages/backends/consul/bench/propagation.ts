import { quantile } from '../../../../tools/bench/statistics.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** From the request that changes an instance to the watcher that sees it: ours and the library's own watch, at once. */
export async function measurePropagation(changes: number): Promise<void> {
  await using stage = await Stage.open();
  const publish = (n: number) =>
    stage.server.command('PUT', 'agent/service/register', {
      Name: 'orders',
      ID: 'orders',
      Port: 80,
      Meta: { n: String(n) },
    });
  await publish(0);
  const sent = new Map<string, number>();
  const [ours, theirs]: [number[], number[]] = [[], []];
  const saw = (took: number[], n: string | undefined): void => {
    const sentAt = sent.get(n ?? '');
    if (sentAt !== undefined) took.push(performance.now() - sentAt);
  };
  const stop = new AbortController();
  const backend = stage.backend();
  const watching = (async () => {
    for await (const [instance] of backend.watch('orders', { signal: stop.signal }))
      saw(ours, instance?.metadata['n']);
  })();
  const raw = stage.raw();
  const watch = raw.watch({
    method: (options: Parameters<typeof raw.health.service>[0]) => raw.health.service(options),
    options: { service: 'orders' },
  });
  watch.on('change', (entries: readonly { readonly Service: { readonly Meta: { readonly n: string } } }[]) =>
    saw(theirs, entries[0]?.Service.Meta.n),
  );
  await sleep(500);
  for (let n = 1; n <= changes; n += 1) {
    sent.set(String(n), performance.now());
    await publish(n);
    await sleep(75 + Math.random() * 50);
  }
  await sleep(500);
  watch.end();
  stop.abort();
  await watching;

  const row = (name: string, took: readonly number[]): string[] => [
    name,
    ...[0.5, 0.99, 1].map((share) => figure(quantile(took, share))),
    `${took.length} of ${changes}`,
  ];
  printTable(
    'A change to its watcher, in milliseconds',
    ['', 'p50', 'p99', 'longest', 'seen'],
    [row('@sd/consul', ours), row('consul 2.0.1', theirs)],
  );
}
