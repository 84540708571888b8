import { systemRng, type Clock, type Rng, type TlsOptions } from '@sd/core';
import { ConnectError } from './connect-error.ts';
import { Connection } from './connection.ts';
import { isDoubtful, type Auth, type SessionState } from './handshake.ts';

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface ConnectorOptions {
  readonly servers: readonly Server[];
  readonly tls?: TlsOptions | undefined;
  readonly auth?: Auth | undefined;
  /** For one round over all servers, in milliseconds; at most half a session, so that a second round is in time. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng?: Rng | undefined;
}

/** Connects to one server of an ensemble: each client begins with another, and goes on to the next when one fails. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #servers: readonly Server[];
  #next = 0;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#servers = shuffled(options.servers, options.rng ?? systemRng);
  }

  /** One round. @throws {ConnectError} */
  async open(
    session: SessionState,
    { sessionTimeoutMs, silenceMs }: { readonly sessionTimeoutMs: number; readonly silenceMs: number },
    signal: AbortSignal,
  ): Promise<Connection> {
    const { tls, auth, timeoutMs, clock } = this.#options;
    const count = this.#servers.length;
    const connectTimeoutMs = Math.min(timeoutMs, sessionTimeoutMs / 2) / count;
    const problems: ConnectError[] = [];
    for (let round = 0; round < count; round += 1) {
      const server = this.#servers[this.#next % count];
      if (server === undefined) break;
      this.#next += 1; // also after a success: that server is the last to be asked again when it fails
      try {
        const limits = { sessionTimeoutMs, silenceMs, connectTimeoutMs };
        return await Connection.open({ ...server, tls, auth, session, clock, ...limits }, signal);
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        if (error.kind === 'expired' || error.kind === 'denied' || signal.aborted) throw error;
        problems.push(error);
      }
    }
    // A server may be behind, have no leader, or be ending the session. When all go on refusing, the next round will tell.
    const isRefused = problems.some(({ kind }) => kind === 'refused');
    session.refusals = isRefused && !isDoubtful(session) ? session.refusals + 1 : 0;
    const problem = problems.map(({ message }) => message).join('; ');
    throw new ConnectError(isRefused ? 'refused' : 'unreachable', problem, problems[0]);
  }
}

function shuffled<T>(values: readonly T[], rng: Rng): readonly T[] {
  return values
    .map((value) => ({ value, rank: rng() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ value }) => value);
}
