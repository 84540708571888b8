/** Why there is no connection. */
export class ConnectError extends Error {
  readonly kind: ConnectProblem;

  constructor(kind: ConnectProblem, problem: string, cause?: unknown) {
    super(problem, cause === undefined ? undefined : { cause });
    this.name = 'ConnectError';
    this.kind = kind;
  }
}

/**
 * - `refused`: closed without a word after we said who we are. So do servers that are behind us, that have no leader, or
 *   that want TLS
 * - `expired`: the session is over
 * - `denied`: wrong credentials, or a scheme that the server does not know
 */
export type ConnectProblem = 'unreachable' | 'refused' | 'expired' | 'denied';
