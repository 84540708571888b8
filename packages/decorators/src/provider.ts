import { abortable } from '@sd/core';
import type { ListeningServer } from '@sd/registry';
import { EventEmitter, once } from 'node:events';

/** What `start()` needs of an instance, unless its `@ServiceRegistry` names a port. */
export interface Provider {
  readonly server?: ListeningServer | undefined;
  /** Called before it is published, and awaited. May return the server; else that is `server`. */
  listen?(): unknown;
}

/**
 * The server of a provider, as soon as it was told to listen.
 * @throws also why that server cannot listen, which Node tells before promises go on, when nobody could wait for it yet
 */
export async function listen(provider: Provider): Promise<ListeningServer | undefined> {
  const returning = provider.listen?.();
  const opening = isServer(returning) ? returning : provider.server;
  const failures: Error[] = [];
  const hear = (error: Error): unknown => failures.push(error);
  if (opening instanceof EventEmitter) opening.on('error', hear);
  try {
    const returned = await returning;
    const [failure] = failures;
    if (failure !== undefined && opening?.address() === null) throw failure;
    return isServer(returned) ? returned : provider.server;
  } finally {
    if (opening instanceof EventEmitter) opening.off('error', hear);
  }
}

/** `app.listen(0)` returns before the server listens. */
export async function untilListening(server: ListeningServer, signal: AbortSignal): Promise<void> {
  if (server.address() !== null || !(server instanceof EventEmitter)) return;
  await abortable(once(server, 'listening', { signal }), signal);
}

/** Cuts off whom it serves, who can only have found it where it was before; where it cannot, it does not wait for them. */
export function closeNow(server: ListeningServer | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined) return resolve();
    server.close(() => resolve());
    if (server.closeAllConnections === undefined) resolve();
    else server.closeAllConnections();
  });
}

function isServer(value: unknown): value is ListeningServer {
  return ['address', 'close'].every((method) => typeof Reflect.get(Object(value), method) === 'function');
}
