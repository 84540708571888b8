import { quantile } from '../../../../tools/bench/statistics.ts';
import type { Way } from './propagation-ways.ts';
import type { PublisherTasks } from './publisher.program.ts';
import type { Stage } from './stage.ts';
import type { SubscriberTasks } from './subscriber.program.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const ways: readonly (readonly [Way, string])[] = [
  ['publish', 'ioredis: PUBLISH, to its message event'],
  ['script', 'ioredis: EVALSHA of HSET and PUBLISH, to its message event'],
  ['update', 'sd: Lease.update(), to the snapshot of a watch'],
];

/** From one process to another, one change at a time, in each of the ways in turn. */
export async function measurePropagation(stage: Stage): Promise<void> {
  const [warmUp, times] = stage.quick ? [50, 100] : [300, 2_200];
  const { url } = await stage.server();
  const publisher = stage.program<PublisherTasks>('publisher.program.ts');
  const subscriber = stage.program<SubscriberTasks>('subscriber.program.ts');
  await subscriber.ask('listen', { url });
  await publisher.ask('register', { url });
  await publisher.ask('change', { times: warmUp });
  await subscriber.ask('latencies', undefined);
  await publisher.ask('change', { times });
  const latencies = await subscriber.ask('latencies', undefined);

  const [base] = ways.map(([way]) => latencies[way]);
  const rows = ways.map(([way, name]) => {
    const cells = [0.5, 0.9, 0.99].map((share) => {
      const value = quantile(latencies[way], share);
      return `${figure(value)} (${figure(value / quantile(base ?? [], share))}x)`;
    });
    return [name, figure(latencies[way].length), ...cells];
  });
  printTable(
    `A change, from one process to another: ${figure(times)} each way, one at a time`,
    ['us', 'arrived', 'p50', 'p90', 'p99'],
    rows,
  );
  console.log('\nMessages are equally long. (…x): beside PUBLISH. Bar of p99: 1.5x.');
}
