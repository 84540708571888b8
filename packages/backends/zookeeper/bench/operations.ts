import { quantile } from '../../../../tools/bench/statistics.ts';
import { printTable } from '../../../../tools/bench/table.ts';
import type { Lease } from '@sd/core';
import { create, getChildren, getData, multiRead, remove, setData } from '../src/protocol/requests.ts';
import { instance, openAcl, type Stage } from './stage.ts';

const count = 1_000;
const rounds = 5;

/** What comes, changes, is looked up and goes, all at once; beside the same nodes by the protocol client alone. */
export async function measureOperations(stage: Stage): Promise<void> {
  const backend = stage.backend();
  const raw = await stage.raw();
  const all = Array.from({ length: count }, (_, n) => instance(n));
  const texts = all.map((each) => JSON.stringify(each));
  const paths = all.map(({ id }) => `/raw/${id}`);
  await raw.send(create('/raw', { data: '', acl: openAcl, kind: 'persistent' }));

  let leases: readonly Lease[] = [];
  const ours: Record<string, () => Promise<unknown>> = {
    register: async () =>
      (leases = await Promise.all(all.map((each) => backend.register(each, { ttl: 30_000 })))),
    update: () => Promise.all(leases.map((lease) => lease.update({ ...lease.instance, weight: 2 }))),
    'lookup of 10': () => repeated(() => backend.getInstances('few')),
    'lookup of 1,000': () => backend.getInstances('orders'),
    release: () => Promise.all(leases.map((lease) => lease.release())),
  };
  const theirs: Record<string, () => Promise<unknown>> = {
    register: () =>
      Promise.all(
        paths.map((path, n) =>
          raw.send(create(path, { data: texts[n] ?? '', acl: openAcl, kind: 'ephemeral' })),
        ),
      ),
    update: () => Promise.all(paths.map((path, n) => raw.send(setData(path, texts[n] ?? '', -1)))),
    'lookup of 10': () =>
      repeated(async () => {
        const ids = await raw.send(getChildren('/sd/services/few'));
        await raw.send(
          multiRead(
            ids.map((id) => getData(`/sd/services/few/${id}`)),
            '/',
          ),
        );
      }),
    'lookup of 1,000': async () => {
      const ids = await raw.send(getChildren('/raw'));
      await raw.send(
        multiRead(
          ids.map((id) => getData(`/raw/${id}`)),
          '/',
        ),
      );
    },
    release: () => Promise.all(paths.map((path) => raw.send(remove(path, -1)))),
  };
  await Promise.all(
    Array.from({ length: 10 }, (_, n) => backend.register(instance(n, 'few'), { ttl: 30_000 })),
  );

  const times = new Map<string, { ours: number[]; theirs: number[] }>();
  for (let round = -1; round < rounds; round += 1) {
    for (const name of Object.keys(ours)) {
      const entry = times.get(name) ?? { ours: [], theirs: [] };
      const [a, b] = [await timed(ours[name]), await timed(theirs[name])];
      if (round < 0) continue; // for the compilers
      entry.ours.push(a);
      entry.theirs.push(b);
      times.set(name, entry);
    }
  }
  const perSecond = (name: string, ms: readonly number[]): number =>
    ((name === 'lookup of 1,000' ? 1 : count) * 1_000) / quantile(ms, 0.5);
  printTable(
    `Operations: ${count} at once, medians of ${rounds} rounds`,
    ['per second', '@sd/zookeeper', 'protocol client alone'],
    [...times].map(([name, entry]) => [name, perSecond(name, entry.ours), perSecond(name, entry.theirs)]),
  );
}

const repeated = (work: () => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, work));

async function timed(work: (() => Promise<unknown>) | undefined): Promise<number> {
  const startedAt = performance.now();
  await work?.();
  return performance.now() - startedAt;
}
