import { Server as TlsServer } from 'node:tls';
import { onAbort, type Clock } from '@sd/core';

/** What a registration needs of a `node:http`, `node:https`, `node:http2` or `node:net` server. */
export interface ListeningServer {
  address(): { readonly address: string; readonly port: number } | string | null;
  close(callback: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
  on?(event: string, listener: (connection: Connection) => void): unknown;
  off?(event: string, listener: (connection: Connection) => void): unknown;
}

/** A socket, or a session of HTTP/2. */
interface Connection {
  once(event: 'close', listener: () => void): unknown;
  destroy(): void;
  /** Of a session: lets what is in flight finish. */
  close?(): void;
}

/**
 * The connections of a server that come from now on. Some servers cannot close those that are idle (HTTP/2 ones), some not
 * those that are busy (plain TCP ones), and HTTP servers not those that were upgraded.
 */
export class Connections {
  readonly #server: ListeningServer;
  readonly #sockets = new Set<Connection>();
  readonly #sessions = new Set<Connection>();
  #closing = false;

  constructor(server: ListeningServer) {
    this.#server = server;
    server.on?.('connection', this.#addSocket);
    server.on?.('session', this.#addSession);
  }

  readonly #addSocket = (socket: Connection): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #addSession = (session: Connection): void => {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#closing) session.close?.();
  };

  /** Those of HTTP/2 end when they have answered what is in flight. */
  finish(): void {
    this.#closing = true;
    for (const session of this.#sessions) session.close?.();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Those that come are no longer counted. */
  forget(): void {
    this.#server.off?.('connection', this.#addSocket);
    this.#server.off?.('session', this.#addSession);
  }
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
  connections: Connections,
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
    connections.finish();
  });
}
