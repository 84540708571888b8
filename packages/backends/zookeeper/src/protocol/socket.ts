import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock, TlsOptions } from '@sd/core';
import { ConnectError } from './connect-error.ts';

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
}

export interface Link {
  readonly socket: Socket;
  /** What is left of the time to connect, on the monotonic clock. */
  readonly deadline: number;
}

/** A socket that is connected, its peer verified. @throws {ConnectError} */
export function openSocket(options: SocketOptions, signal: AbortSignal): Promise<Link> {
  const { host, port, tls, clock, connectTimeoutMs } = options;
  const deadline = clock.monotonic() + connectTimeoutMs;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connect({ host, port, noDelay: true })
        : connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, port });
    socket.setNoDelay(true);
    const fail = (error: Error): void => {
      end();
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error instanceof ConnectError ? error : unreachable(error, options));
    };
    const onClose = (): void => fail(new Error('closed before it was connected'));
    const abort = (): void => fail(new ConnectError('unreachable', 'given up'));
    const ready = (): void => {
      end();
      resolve({ socket, deadline });
    };
    const timer = clock.setTimer(
      () => fail(new Error(`no connection within ${Math.round(connectTimeoutMs)} ms`)),
      connectTimeoutMs,
    );
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', onClose);
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', fail).on('close', onClose);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', ready);
  });
}

function unreachable(error: Error, { host, port, tls }: SocketOptions): ConnectError {
  const code = 'code' in error ? String(error.code) : '';
  const said = error.message === '' ? code : error.message; // an AggregateError has no message
  const at = `${host}:${port}`;
  if (tls === undefined || /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code))
    return new ConnectError('unreachable', `${at}: ${said}`, error);
  if (/CERT|SELF_SIGNED|ISSUER|LEAF_SIGNATURE/.test(code))
    return new ConnectError('unreachable', `the certificate of ${at} was refused: ${said} (${code})`, error);
  return new ConnectError(
    'unreachable',
    `no TLS handshake with ${at} (${said}); does this port speak TLS?`,
    error,
  );
}
