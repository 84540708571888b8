import type Consul from 'consul';
import { example, rate, Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** Registering, renewing and looking up, beside the library by itself. */
export async function measureOperations(count: number): Promise<void> {
  const rows: string[][] = [];
  const row = (what: string, ours: number, raw: number): void =>
    void rows.push([what, figure(ours), figure(raw), figure(ours / raw)]);

  await using stage = await Stage.open();
  const [backend, raw] = [stage.backend(), stage.raw()];
  const registering = await rate(count, 16, (n) => backend.register(example(n), { ttl: 60_000 }));
  const rawRegistering = await rate(count, 16, (n) => registerRaw(raw, n));
  row('registrations/s', registering, rawRegistering);

  // Ours are two requests, however many there are.
  const renewals = await rate(20, 1, async () => {
    await raw.agent.check.pass({ id: 'raw-check-0' });
    await raw.agent.check.list({ filter: 'Notes == "raw"' });
  });
  const rawRenewals = await rate(count, 2, (n) => raw.agent.check.pass({ id: `raw-check-${n}` }));
  row(`instances renewed/s, of ${count}`, renewals * count, rawRenewals);

  for (const instances of [10, 100]) {
    const service = `lookups-${instances}`;
    for (let n = 0; n < instances; n += 1) await backend.register(example(n, service), { ttl: 60_000 });
    const lookups = await rate(300, 2, () => backend.getInstances(service));
    const rawLookups = await rate(300, 2, () => raw.health.service({ service }));
    row(`lookups/s of ${instances} instances`, lookups, rawLookups);
  }
  printTable('Operations', ['', '@sd/consul', 'consul 2.0.1', 'ratio'], rows);
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
