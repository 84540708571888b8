import { Server as TlsServer } from 'node:tls';
import { onAbort, systemClock, type Clock } from '@sd/core';

/** What a registration needs of a `node:http`, `node:https`, `node:http2` or `node:net` server. */
export interface ListeningServer {
  address(): { readonly address: string; readonly port: number } | string | null;
  close(callback: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
  keepAliveTimeout?: number;
  /** Of one that stands for a server of `node:https`. */
  readonly isSecure?: boolean;
  on?(event: string, listener: (connection: Connection) => void): unknown;
  off?(event: string, listener: (connection: Connection) => void): unknown;
}

/** A socket, or a session of HTTP/2. */
interface Connection extends Closing {
  destroy(): void;
  readonly bytesRead?: number;
  /** Of a session: says that it takes no more, and lets what is in flight finish. */
  close?(): void;
  /** Of a session: tells of each request. */
  on?(event: 'stream', listener: (stream: Closing) => void): unknown;
}

interface Closing {
  once(event: 'close', listener: () => void): unknown;
}

/**
 * The connections of a server that come from now on. Some servers cannot close those that are idle (HTTP/2 ones), some not
 * those that are busy (plain TCP ones), and HTTP servers not those that were upgraded.
 */
export class Connections {
  readonly #server: ListeningServer;
  readonly #sockets = new Set<Connection>();
  /** With how many requests they have in flight. */
  readonly #sessions = new Map<Connection, number>();

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
    this.#sessions.set(session, 0);
    session.once('close', () => this.#sessions.delete(session));
    session.on?.('stream', (stream) => {
      this.#count(session, 1);
      stream.once('close', () => this.#count(session, -1));
    });
  };

  #count(session: Connection, more: 1 | -1): void {
    const inFlight = this.#sessions.get(session);
    if (inFlight !== undefined) this.#sessions.set(session, inFlight + more);
  }

  /**
   * Ends sessions of HTTP/2: those that are idle, or all of them as soon as they have answered what is in flight. Clients
   * are told at once, and some give up what is in flight when they hear that, as undici does.
   */
  finish({ busy }: { readonly busy: boolean }): void {
    for (const [session, inFlight] of this.#sessions) if (busy || inFlight === 0) session.close?.();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts off those over which nothing has come yet. */
  destroySilent(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
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
export function leftOpen(server: ListeningServer): { readonly server: ListeningServer } {
  const connections = new Connections(server);
  const open: ListeningServer = {
    isSecure: isSecure(server),
    address: () => server.address(),
    close: (done) => {
      // A framework closes what is idle then: what turns idle later would hold it for as long, 72 s in Fastify.
      if (server.keepAliveTimeout !== undefined) server.keepAliveTimeout = 1;
      // And what has never been idle, as nothing was asked over it, for ever.
      if (server.closeIdleConnections !== undefined) {
        systemClock.setTimer(() => connections.destroySilent(), silenceMs);
      }
      done();
    },
  };
  return { server: open };
}

export function isSecure(server: ListeningServer): boolean {
  return server instanceof TlsServer || server.isSecure === true;
}

/** How often connections that have become idle are looked for, in milliseconds. */
const sweepMs = 50;
/** How long the first request over a connection of HTTP may take to come, in milliseconds. */
const silenceMs = 1_000;

export interface CloseContext {
  readonly clock: Clock;
  /** Nothing is waited for once it aborts. */
  readonly signal: AbortSignal;
  /** How long sessions of HTTP/2 may take to become idle, in milliseconds. */
  readonly patienceMs: number;
}

/** Stops accepting connections; resolves when the last one has ended, or when the signal aborts. */
export function closeServer(
  server: ListeningServer,
  connections: Connections,
  { clock, signal, patienceMs }: CloseContext,
): Promise<void> {
  const closedAt = clock.monotonic();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      forget();
      resolve();
    };
    // A kept-alive connection that is busy now turns idle later, and would hold the server open until it times out.
    const sweep = (): void => {
      server.closeIdleConnections?.();
      const closedMs = clock.monotonic() - closedAt;
      // Made in advance, as browsers do, or for a request that was cancelled: Node takes them for busy until they say more.
      if (server.closeIdleConnections !== undefined && closedMs >= silenceMs) connections.destroySilent();
      connections.finish({ busy: closedMs >= patienceMs });
      timer = clock.setTimer(sweep, sweepMs);
    };
    let timer = clock.setTimer(sweep, 0);
    const forget = onAbort(signal, done);
    server.close(done);
  });
}
