import { abortable } from './abortable.ts';
import type { DiscoveryBackend } from './backend.ts';
import type { Clock } from './clock.ts';
import { BackendUnavailableError } from './errors.ts';
import type { ServiceInstance } from './service-instance.ts';
import { assertSnapshot } from './snapshot.ts';
import { TimeLimit } from './time-limit.ts';

/**
 * Asks a backend for the instances of a service, once, and waits no longer than the time allows.
 * @throws the signal's reason, or {@link BackendUnavailableError}
 */
export async function lookUp(
  backend: DiscoveryBackend,
  service: string,
  {
    clock,
    timeoutMs,
    signal,
  }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly ServiceInstance[]> {
  signal.throwIfAborted();
  const tooLate = () =>
    new BackendUnavailableError(backend.name, `no instances of "${service}" within ${timeoutMs} ms`, {
      service,
    });
  const limit = new TimeLimit(clock, timeoutMs, tooLate, signal);
  try {
    const listed = await abortable(backend.getInstances(service, { signal: limit.signal }), limit.signal);
    assertSnapshot(listed);
    return listed;
  } finally {
    limit.end();
  }
}
