import { fileURLToPath } from 'node:url';
import type { ServiceInstance } from '@sd/core';
import { describeBackend, realTime, type ReadOnlyHarness } from '@sd/testkit';
import { StaticBackend } from '../src/index.ts';
import { RecordingLogger } from './recording-logger.ts';
import { ServicesFolder } from './services-folder.ts';

describeBackend('StaticBackend', fileHarness);

/** The store is a file: each change renames a new one over it. */
async function fileHarness(): Promise<ReadOnlyHarness> {
  const folder = await ServicesFolder.create();
  const name = 'services.json';
  const services = new Map<string, Map<string, unknown>>();
  const backends: StaticBackend[] = [];

  const set = (service: string, id: string, entry: unknown): Promise<void> => {
    services.set(service, (services.get(service) ?? new Map<string, unknown>()).set(id, entry));
    return save();
  };
  const save = (): Promise<void> => {
    const lists = [...services].map(([service, entries]) => [service, [...entries.values()]]);
    return folder.replace(JSON.stringify({ services: Object.fromEntries(lists) as unknown }), name);
  };
  await save();

  return {
    time: realTime({ promptMs: 500 }),
    push: true,
    pollBoundMs: 0,
    async createClient() {
      const backend = new StaticBackend({ file: folder.file(name), logger: new RecordingLogger() });
      backends.push(backend);
      return { backend, crash: () => backend.close() };
    },
    publish: (instance: ServiceInstance) => set(instance.service, instance.id, instance),
    async withdraw(service, id) {
      services.get(service)?.delete(id);
      await save();
    },
    writeMalformed: (service, key) => set(service, key, { host: '10.0.0.1' }),
    program: [
      '--conditions=@sd/source',
      '--import=tsx',
      fileURLToPath(new URL('closing.program.ts', import.meta.url)),
      folder.file(name),
    ],
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
    },
  };
}
