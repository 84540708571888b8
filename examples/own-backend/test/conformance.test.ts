import { systemClock } from '@sd/core';
import { describeBackend, haltableClock, realTime } from '@sd/testkit';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderBackend } from '../folder-backend.ts';

const pollMs = 250;

describeBackend('FolderBackend', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'services-'));
  const backends: FolderBackend[] = [];
  const fileOf = (service: string, id: string): string => join(folder, service, `${id}.json`);
  return {
    time: realTime(),
    ttl: 1_500,
    push: false,
    pollBoundMs: 2 * pollMs,
    async createClient({ clockOffsetMs = 0 } = {}) {
      const clock = haltableClock({ ...systemClock, now: () => systemClock.now() + clockOffsetMs });
      const backend = new FolderBackend({ folder, pollMs, clock });
      backends.push(backend);
      return { backend, clock, crash: async () => clock.halt() };
    },
    deleteAsStranger: (service, id) => rm(fileOf(service, id)),
    forgetLease: (service, id) => utimes(fileOf(service, id), 0, 0),
    async writeMalformed(service, key) {
      await mkdir(join(folder, service), { recursive: true });
      await writeFile(fileOf(service, key), '{ "service": ');
    },
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await rm(folder, { recursive: true });
    },
  };
});
