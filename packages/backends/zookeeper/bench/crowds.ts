import { printTable } from '../../../../tools/bench/table.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { instance, type Stage } from './stage.ts';

const windowMs = 10_000;

/** A thousand instances, and a thousand watched services, in one process. */
export async function measureCrowds(stage: Stage): Promise<void> {
  const idle = async (): Promise<number> => {
    const before = await stage.received();
    await sleep(windowMs);
    return ((await stage.received()) - before) / (windowMs / 1_000);
  };
  const connectionsBefore = await stage.connections();
  const backend = stage.backend();
  let startedAt = performance.now();
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => backend.register(instance(n), { ttl: 15_000 })));
  const registeredMs = performance.now() - startedAt;
  const keeping = await idle();
  const providing = await stage.connections();

  const watcher = stage.backend();
  const { signal } = new AbortController();
  startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 1_000 }, async (_, n) => {
      const watch = watcher.watch(`service-${n}`, { signal });
      await watch.next();
      watch.next().catch(() => undefined); // it ends with the stage
    }),
  );
  const watchedMs = performance.now() - startedAt;
  const both = await idle();
  printTable(
    'A thousand in one process',
    ['', 'ms to begin', 'connections', 'requests/s when idle'],
    [
      ['instances registered (ttl 15 s)', registeredMs, providing - connectionsBefore, keeping],
      ['services watched', watchedMs, (await stage.connections()) - providing, both - keeping],
    ],
  );
}
