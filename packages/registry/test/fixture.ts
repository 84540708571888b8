import { BackendUnavailableError, ManualClock, seededRng } from '@sd/core';
import { ServiceRegistry, type ServiceRegistryOptions } from '../src/index.ts';
import { RecordingLogger, ScriptedBackend } from './scripted-backend.ts';

/** A registry on a scripted store, with time, chance and logs in the hands of the test. */
export function setUp(options: Partial<ServiceRegistryOptions> = {}) {
  const backend = new ScriptedBackend();
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const registry = new ServiceRegistry({ backend, clock, rng: seededRng(1), logger, ...options });
  return { backend, clock, logger, registry };
}

export const orders = { service: 'orders', id: 'orders-1', host: '10.0.0.1', port: 8080 } as const;

export const unavailable = (): never => {
  throw new BackendUnavailableError('scripted', 'connection refused');
};

/** The error that a promise rejects with; fails the test if it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const resolved = Symbol('resolved');
  const outcome = await promise.then(
    () => resolved,
    (error: unknown) => error,
  );
  if (outcome === resolved) throw new Error('The promise should have rejected, but resolved');
  return outcome;
}
