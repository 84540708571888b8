import { subscribe } from 'node:diagnostics_channel';
import { now } from '../../../tools/bench/program.ts';

/** A request that this process has sent, or would have, had the connection not been refused. */
export interface SentRequest {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly port: number;
}

/**
 * Writes down what is sent from here on, by whatever library: Node and undici publish it themselves. Servers would count
 * the same, but for what a dead one refuses.
 */
export function recordRequests(): readonly SentRequest[] {
  const requests: SentRequest[] = [];
  const record = (host: unknown): void => {
    requests.push({ at: now(), port: Number(String(host).split(':').at(-1)) });
  };
  subscribe('http.client.request.start', (message) => {
    record((message as { request: { getHeader(name: string): unknown } }).request.getHeader('host'));
  });
  subscribe('undici:request:create', (message) => {
    record((message as { request: { readonly origin: unknown } }).request.origin);
  });
  return requests;
}
