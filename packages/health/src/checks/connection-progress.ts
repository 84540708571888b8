import type { Socket } from 'node:net';
import { finding, messageOf, unhealthy } from '../finding.ts';
import type { CheckResult } from '../health-check.ts';

/** How far a connection has come: what its failure means depends on that. */
export class ConnectionProgress {
  #stage: 'connecting' | 'securing' | 'open' = 'connecting';

  /** @param socket starts to connect now */
  follow(socket: Socket, { secure }: { readonly secure: boolean }): void {
    socket.once('connect', () => (this.#stage = secure ? 'securing' : 'open'));
    socket.once('secureConnect', () => (this.#stage = 'open'));
  }

  failure(error: unknown): CheckResult {
    switch (this.#stage) {
      case 'connecting':
        return unconnected(error);
      case 'securing':
        return unhealthy(`TLS failed: ${messageOf(error)}`);
      case 'open':
        return unhealthy(`the exchange failed: ${messageOf(error)}`);
    }
  }

  /** Time is up. Only while nothing has opened does that say something by itself. */
  cutOff(reason: unknown): CheckResult | undefined {
    return this.#stage === 'connecting' ? unconnected(reason) : undefined;
  }
}

function unconnected(cause: unknown): CheckResult {
  return finding('unhealthy', `no connection: ${messageOf(cause)}`, { unreachable: true });
}
