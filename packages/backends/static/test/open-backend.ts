import { onTestFinished } from 'vitest';
import type { DiscoveryBackend, ServiceInstance } from '@sd/core';
import { WatchRecorder } from '@sd/testkit';
import { StaticBackend, type StaticFileOptions, type StaticFolderOptions } from '../src/index.ts';
import { RecordingLogger } from './recording-logger.ts';

/** A backend over a file, closed after the test, and the warnings that it gave. */
export function openBackend(
  file: string,
  options: Partial<StaticFileOptions> = {},
): { readonly backend: StaticBackend; readonly warnings: readonly string[] } {
  const logger = new RecordingLogger();
  const backend = new StaticBackend({ logger, ...options, file });
  onTestFinished(() => backend.close());
  return { backend, warnings: logger.warnings };
}

/** The same over a folder. */
export function openFolder(
  folder: string,
  options: Partial<StaticFolderOptions> = {},
): { readonly backend: StaticBackend; readonly warnings: readonly string[] } {
  const logger = new RecordingLogger();
  const backend = new StaticBackend({ logger, ...options, folder });
  onTestFinished(() => backend.close());
  return { backend, warnings: logger.warnings };
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: DiscoveryBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

/** The hosts of a snapshot. */
export function hosts(instances: readonly ServiceInstance[] | undefined): readonly string[] | undefined {
  return instances?.map(({ host }) => host);
}
