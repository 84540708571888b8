import { quantile } from '../../../../tools/bench/statistics.ts';
import { printTable } from '../../../../tools/bench/table.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { addRecursiveWatch, create, getData, setData } from '../src/protocol/requests.ts';
import { instance, openAcl, type Stage } from './stage.ts';

const times = 1_000;

/** A change, from one connection to another, one at a time, each way in turn. */
export async function measurePropagation(stage: Stage): Promise<void> {
  const lease = await stage.backend().register(instance(1), { ttl: 30_000 });
  const ours: number[] = [];
  let changedAt = 0;
  const watching = (async () => {
    for await (const [seen] of stage.backend().watch('orders', { signal: new AbortController().signal })) {
      if (seen !== undefined && seen.weight > 1) ours.push(performance.now() - changedAt);
    }
  })();
  watching.catch(() => undefined); // it ends with the stage

  const [writer, reader] = [await stage.raw(), await stage.raw()];
  const theirs: number[] = [];
  const text = JSON.stringify(instance(1));
  await writer.send(create('/raw-change', { data: text, acl: openAcl, kind: 'ephemeral' }));
  reader.listen({
    onEvent: (path) =>
      void reader.send(getData(path)).then(({ data }) => {
        JSON.parse(data.toString());
        theirs.push(performance.now() - changedAt);
      }),
    onLost: () => undefined,
  });
  await reader.send(addRecursiveWatch('/raw-change'));

  for (let time = 0; time < times + 200; time += 1) {
    if (time === 200) [ours.length, theirs.length] = [0, 0];
    changedAt = performance.now();
    await lease.update({ ...lease.instance, weight: 2 + (time % 1_000) });
    await sleep(3);
    changedAt = performance.now();
    await writer.send(setData('/raw-change', text, -1));
    await sleep(3);
  }
  const row = (name: string, latencies: readonly number[]): (string | number)[] => {
    const cells = [0.5, 0.99].map((share) => quantile(latencies, share));
    return [name, latencies.length, ...cells];
  };
  printTable(
    `A change, to the snapshot of a watch: ${times} each way`,
    ['ms', 'arrived', 'p50', 'p99'],
    [row('@sd/zookeeper', ours), row('protocol client alone: event, getData, JSON.parse', theirs)],
  );
  console.log(
    `\np99 beside the protocol client: ${(quantile(ours, 0.99) / quantile(theirs, 0.99)).toFixed(2)}x`,
  );
}
