import { setTimeout as sleep } from 'node:timers/promises';
import { ConsulFront } from '../test/consul-front.ts';
import { example, Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** A thousand instances, and a thousand watched services, in one process. */
export async function measureCrowds(count: number): Promise<void> {
  await using stage = await Stage.open();
  const front = await ConsulFront.listen({ host: stage.server.host, port: stage.server.port });
  const url = `http://${front.host}:${front.port}`;
  const perSecond = async (): Promise<number> => {
    const before = front.requests;
    await sleep(20_000);
    return (front.requests - before) / 20;
  };
  const provider = stage.backend({ url });
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: count }, (_, n) => provider.register(example(n, `service-${n}`), { ttl: 30_000 })),
  );
  const registered = performance.now() - startedAt;
  const keeping = await perSecond();
  const kept = front.connections;
  await provider.close();

  const owner = stage.backend();
  await Promise.all(
    Array.from({ length: count }, (_, n) => owner.register(example(n, `service-${n}`), { ttl: 30_000 })),
  );
  const consumer = stage.backend({ url });
  const stop = new AbortController();
  const watchedAt = performance.now();
  const watches = Array.from({ length: count }, (_, n) =>
    consumer.watch(`service-${n}`, { signal: stop.signal }),
  );
  await Promise.all(watches.map((watch) => watch.next()));
  const watched = performance.now() - watchedAt;
  const idle = await perSecond();
  const connections = front.connections;
  stop.abort();
  await consumer.close();
  await front.close();

  printTable(
    `${figure(count)} in one process`,
    ['', 'ready after, ms', 'requests/s then', 'connections'],
    [
      ['instances registered, ttl 30 s', figure(registered), figure(keeping), figure(kept)],
      ['services watched, all there', figure(watched), figure(idle), figure(connections)],
    ],
  );
}
