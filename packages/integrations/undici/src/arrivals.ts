import { setImmediate } from 'node:timers';
import type { PromptHandler } from './prompt-client.ts';

/** A request whose answer has come to its end. */
export interface Arrival extends PromptHandler {
  /** Tells who waits for it. */
  handOn(): void;
}

/**
 * Answers that end in one turn of the event loop are handed on together when all sockets were read: what callers do with
 * them then runs for all of them step by step, with the code for each step still in the processor's caches. A request that
 * follows over the same connection is written a turn later for it, as undici lets a turn pass before it uses one again.
 */
export function arrive(arrival: Arrival): void {
  if (arrived.push(arrival) === 1) setImmediate(handOn);
}

let arrived: Arrival[] = [];

function handOn(): void {
  const all = arrived;
  arrived = [];
  each(all, ({ filled }) => filled?.ended()); // who waits for a connection may hear that it gets none
  each(all, (arrival) => arrival.handOn());
}

/** What one caller throws is thrown to nobody, as the others are to have their answers. */
function each(arrivals: readonly Arrival[], tell: (arrival: Arrival) => void): void {
  for (const arrival of arrivals) {
    try {
      tell(arrival);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
