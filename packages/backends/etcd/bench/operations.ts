import { median } from '../../../../tools/bench/statistics.ts';
import { encodeInstance, systemClock, systemRng } from '@sd/core';
import { Etcd3 } from 'etcd3';
import { EtcdServer } from '../../../../tools/servers/index.ts';
import { Connection } from '../src/connection.ts';
import { EtcdBackend } from '@sd/etcd';
import { instanceOf, range, timeOf } from './measure.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const rounds = 5;
const many = 1_000;
const few = 200;
const ttl = 60_000;

/** Per second, each step by both in turn; the first round is for the compiler. */
export async function measureOperations(): Promise<void> {
  await using server = await EtcdServer.start();
  await using backend = new EtcdBackend({ endpoints: server.url });
  const raw = new Etcd3({ hosts: server.url });
  const connection = new Connection({
    endpoints: [server.url],
    timeoutMs: 10_000,
    clock: systemClock,
    rng: systemRng,
  });
  const rates = new Map<string, [ours: number[], raw: number[]]>();
  const note = async (
    name: string,
    count: number,
    who: 0 | 1,
    work: () => Promise<unknown>,
  ): Promise<void> => {
    const pair = rates.get(name) ?? [[], []];
    rates.set(name, pair);
    pair[who].push((count / (await timeOf(work))) * 1_000);
  };

  for (let round = 0; round <= rounds; round += 1) {
    if (round === 1) rates.clear();
    const lease = raw.lease(ttl / 1_000, { autoKeepAlive: false });
    const id = await lease.grant();
    const rawKey = (n: number): string => `raw/orders/orders-${n}`;

    const at = await Promise.all([backend.register(instanceOf(many), { ttl })]);
    await note(`register, ${many} at once`, many, 0, () =>
      Promise.all(range(many).map((n) => backend.register(instanceOf(n), { ttl }))).then((all) =>
        at.push(...all),
      ),
    );
    await note(`register, ${many} at once`, many, 1, () =>
      Promise.all(
        range(many).map((n) =>
          lease
            .put(rawKey(n))
            .value(encodeInstance(instanceOf(n)))
            .exec(),
        ),
      ),
    );
    await note('register, one at a time', few, 0, async () => {
      for (const n of range(few)) at.push(await backend.register(instanceOf(n, 'single'), { ttl }));
    });
    await note('register, one at a time', few, 1, async () => {
      for (const n of range(few))
        await lease
          .put(`raw/single/${n}`)
          .value(encodeInstance(instanceOf(n)))
          .exec();
    });
    await note('renew, instances', many * 50, 0, async () => {
      for (const _ of range(50)) await connection.keepAlive(id);
    });
    await note('renew, instances', many * 50, 1, async () => {
      for (const _ of range(50)) await lease.keepaliveOnce();
    });
    for (const size of [200, many] as const) {
      const [service, name] =
        size === many ? ['orders', `look up ${many} instances`] : ['single', `look up ${few} instances`];
      await note(name, 20, 0, async () => {
        for (const _ of range(20)) await backend.getInstances(service);
      });
      await note(name, 20, 1, async () => {
        for (const _ of range(20)) {
          const all = await raw.getAll().prefix(`raw/${service}/`).strings();
          for (const json of Object.values(all)) JSON.parse(json);
        }
      });
    }
    await note('look up none', few, 0, async () => {
      for (const _ of range(few)) await backend.getInstances('none');
    });
    await note('look up none', few, 1, async () => {
      for (const _ of range(few)) await raw.getAll().prefix('raw/none/').strings();
    });
    await Promise.all(at.map((each) => each.release()));
    await lease.revoke();
  }
  raw.close();
  connection.close();

  const rows = [...rates].map(([name, [ours, other]]) => [
    name,
    ...[median(ours), median(other), median(ours) / median(other)].map(figure),
  ]);
  printTable(
    `Operations per second, one process (medians of ${rounds} rounds)`,
    ['operation', 'sd', 'etcd3', 'sd / etcd3'],
    rows,
  );
  console.log(`\n${notes}`);
}

const notes =
  'etcd3 puts and reads the same JSON, and parses it without checking it. One request renews all instances of a lease, here 1,000.';
