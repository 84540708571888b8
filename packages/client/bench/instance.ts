import { seededRng } from '@sd/core';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an instance is able to do. */
export interface Ability {
  /** How long it works on a request: evenly spread between the two, in milliseconds. */
  readonly workMs: readonly [number, number];
  /** Requests that it works on at once. */
  readonly slots: number;
  /** Requests that may wait for a slot, also when their client has given up; beyond that it answers 503. */
  readonly queue: number;
}

type Handle = (response: ServerResponse) => void;

/** A real server that can be made to misbehave. */
export class Instance {
  /** What it does with a request. */
  handle: Handle;
  /** How long it works on a request for which it takes so long when all is well. */
  durationOf: (workMs: number) => number = asWell;
  readonly #well: Handle = (response) => this.work(response, accept);
  readonly #ability: Ability;
  readonly #server = createServer((_request, response) => this.handle(response));
  readonly #waiting: (() => void)[] = [];
  readonly #rng;
  #busy = 0;
  #port = 0;

  constructor(ability: Ability, seed: number) {
    this.#ability = ability;
    this.#rng = seededRng(seed);
    this.handle = this.#well;
  }

  get port(): number {
    return this.#port;
  }

  /** At any port the first time, at the same one from then on. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections and refuses new ones. */
  async die(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Works on a request, then answers it. */
  work(response: ServerResponse, answerIt: Handle): void {
    const begin = (): void => {
      const [least, most] = this.#ability.workMs;
      const end = (): void => {
        this.#busy -= 1;
        this.#waiting.shift()?.();
        answerIt(response);
      };
      this.#busy += 1;
      const ms = this.durationOf(least + this.#rng() * (most - least));
      if (ms > 0) setTimeout(end, ms);
      else end();
    };
    if (this.#busy < this.#ability.slots) begin();
    else if (this.#waiting.length < this.#ability.queue) this.#waiting.push(begin);
    else refuse(response);
  }

  /** From here on; requests that it has never answered stay so. */
  behaveWell(): void {
    this.handle = this.#well;
    this.durationOf = asWell;
  }
}

const asWell = (workMs: number): number => workMs;

export function accept(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

export function refuse(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json' });
  response.end('{"error":"overloaded"}');
}

/** Half of the answer, and then the connection is reset. */
export function breakOff(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.write(body.subarray(0, body.length / 2));
  // A moment later, so that the half has been read: a reset takes with it what has not.
  setTimeout(() => response.socket?.resetAndDestroy(), 5);
}

/** About 1 KB of JSON. */
const body = Buffer.from(
  JSON.stringify({
    items: Array.from({ length: 16 }, (_, id) => ({
      id,
      name: `item ${id}`,
      price: id * 1.25,
      tags: ['a', 'b'],
    })),
  }),
);
