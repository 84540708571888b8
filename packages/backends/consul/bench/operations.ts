import type { Lease } from '@sd/core';
import type Consul from 'consul';
import { example, rate, Stage } from './stage.ts';
import { median } from '../../../../tools/bench/statistics.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';
import { inTurn } from '../../../../tools/bench/turns.ts';

/** Registering, renewing and looking up, beside the library by itself. */
export async function measureOperations(count: number, rounds: number): Promise<void> {
  const rows: string[][] = [];
  /** Each a second, in turn. */
  const measure = async (
    what: string,
    ways: Record<'ours' | 'raw', () => Promise<number>>,
  ): Promise<void> => {
    const rates = await inTurn(['ours', 'raw'] as const, { rounds, warmUps: 1 }, (who) => ways[who]());
    const [ours = Number.NaN, raw = Number.NaN] = Array.from(rates.values(), median);
    rows.push([what, figure(ours), figure(raw), figure(ours / raw)]);
  };

  await using stage = await Stage.open();
  const [backend, raw] = [stage.backend(), stage.raw()];
  let leases: Lease[] = [];
  await measure('registrations/s', {
    async ours() {
      await Promise.all(leases.map((lease) => lease.release()));
      leases = [];
      return rate(count, 16, async (n) => leases.push(await backend.register(example(n), { ttl: 60_000 })));
    },
    async raw() {
      const ids = Object.keys(await raw.agent.service.list()).filter((id) => id.startsWith('raw-'));
      for (const id of ids) await raw.agent.service.deregister(id);
      return rate(count, 16, (n) => registerRaw(raw, n));
    },
  });

  await measure(`instances renewed/s, of ${count}`, {
    // Ours are two requests, however many there are.
    ours: async () =>
      count *
      (await rate(20, 1, async () => {
        await raw.agent.check.pass({ id: 'raw-check-0' });
        await raw.agent.check.list({ filter: 'Notes == "raw"' });
      })),
    raw: () => rate(count, 2, (n) => raw.agent.check.pass({ id: `raw-check-${n}` })),
  });

  for (const instances of [10, 100]) {
    const service = `lookups-${instances}`;
    for (let n = 0; n < instances; n += 1) await backend.register(example(n, service), { ttl: 60_000 });
    await measure(`lookups/s of ${instances} instances`, {
      ours: () => rate(300, 2, () => backend.getInstances(service)),
      raw: () => rate(300, 2, () => raw.health.service({ service })),
    });
  }
  printTable(`Operations: medians of ${rounds} rounds`, ['', '@sd/consul', 'consul 2.0.1', 'ratio'], rows);
}

async function registerRaw(consul: Consul, n: number): Promise<void> {
  await consul.agent.service.register({
    name: 'raw',
    id: `raw-${n}`,
    address: '10.0.0.1',
    port: 1 + n,
    tags: ['canary'],
    meta: { team: 'a', build: String(n) },
    check: {
      name: 'raw',
      checkid: `raw-check-${n}`,
      notes: 'raw',
      ttl: '60s',
      status: 'passing',
      timeout: '',
      deregistercriticalserviceafter: '60s',
    },
  });
}
