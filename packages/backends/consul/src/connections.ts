import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { TlsOptions } from '@sd/core';
import { Turns } from './turns.ts';

/**
 * What goes over connections of its own, so that nothing else makes it wait: renewals, which must never starve; changes
 * of registrations; what is read; and blocking queries, each of which holds a connection for as long as it waits.
 */
export type Lane = 'leases' | 'changes' | 'reads' | 'watches';

export class Connections {
  readonly #lanes: Readonly<Record<Lane, { readonly agent: Agent; readonly turns: Turns }>>;

  constructor({ url, tls = {}, watches }: { url: string; tls?: TlsOptions | undefined; watches: number }) {
    const { ca, cert, key, servername } = tls;
    const security = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
    };
    const lane = (maxSockets: number) => {
      const options = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets, scheduling: 'lifo' as const };
      const agent = url.startsWith('https:') ? new TlsAgent({ ...options, ...security }) : new Agent(options);
      return { agent, turns: new Turns(maxSockets) };
    };
    this.#lanes = { leases: lane(2), changes: lane(2), reads: lane(2), watches: lane(watches) };
  }

  agent(lane: Lane): Agent {
    return this.#lanes[lane].agent;
  }

  turns(lane: Lane): Turns {
    return this.#lanes[lane].turns;
  }

  close(): void {
    for (const { agent } of Object.values(this.#lanes)) agent.destroy();
  }
}
