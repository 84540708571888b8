import { setImmediate } from 'node:timers';
import type { PromptHandler } from './prompt-client.ts';

/** A request whose answer has come to its end. */
export interface Arrival extends PromptHandler {
  /** Tells who waits for it. */
  handOn(): void;
}

/**
 * Answers that end in one turn of the event loop are handed on together when all sockets were read: what callers do with
 * them then runs for all of them step by step, with the code for each step still in the processor's caches, and nobody
 * waits for it, as undici writes no request to such a connection before that either.
 */
export function arrive(arrival: Arrival): void {
  if (arrived.push(arrival) === 1) setImmediate(handOn);
}

let arrived: Arrival[] = [];

function handOn(): void {
  const all = arrived;
  arrived = [];
  for (const { filled } of all) {
    try {
      filled?.ended(); // who waited for a connection may hear that it gets none
    } catch (error) {
      rethrow(error);
    }
  }
  for (const arrival of all) {
    try {
      arrival.handOn();
    } catch (error) {
      rethrow(error);
    }
  }
}

/** It is of one caller, and the others are to have their answers. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
