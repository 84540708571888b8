import { Server as TlsServer } from 'node:tls';
import { onAbort, type Clock } from '@sd/core';

/** What a registration needs of a `node:http`, `node:https`, `node:http2` or `node:net` server. */
export interface ListeningServer {
  address(): { readonly address: string; readonly port: number } | string | null;
  close(callback: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
}

/**
 * What to register of a server that its framework closes, with all that hangs on it: `drain()` waits until consumers have
 * heard, and leaves it open.
 */
export function leftOpen(server: ListeningServer): {
  readonly server: ListeningServer;
  readonly protocol?: string;
} {
  const open: ListeningServer = { address: () => server.address(), close: (done) => done() };
  return { server: open, ...(server instanceof TlsServer ? { protocol: 'https' } : {}) };
}

/** How often connections that have become idle are looked for, in milliseconds. */
const sweepMs = 50;

/** Stops accepting connections; resolves when the last one has ended, or when the signal aborts. */
export function closeServer(
  server: ListeningServer,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      forget();
      resolve();
    };
    // A kept-alive connection that is busy now turns idle later, and would hold the server open until it times out.
    const sweep = (): void => {
      server.closeIdleConnections?.();
      timer = clock.setTimer(sweep, sweepMs);
    };
    let timer = clock.setTimer(sweep, 0);
    const forget = onAbort(signal, done);
    server.close(done);
  });
}
