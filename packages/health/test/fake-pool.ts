import { createInstance } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';
import type { DetectedPool } from '../src/detected-pool.ts';

export type FakeEndpoint = { -readonly [name in keyof Endpoint]: Endpoint[name] };

/** Keeps what it is told, and does nothing else. */
export class FakePool implements DetectedPool {
  endpoints: readonly FakeEndpoint[];
  /** Those that wait for an attempt. */
  readonly probes = new Set<Endpoint>();
  /** How often a probe was asked for. */
  probesAsked = 0;

  constructor(count: number) {
    this.endpoints = Array.from({ length: count }, (_, slot) => fakeEndpoint(slot));
  }

  eject(endpoint: Endpoint, _forMs: number, { unreachable = false } = {}): void {
    const own = this.#own(endpoint);
    own.ejected = true;
    own.unreachable ||= unreachable;
    this.probes.delete(endpoint);
  }

  restore(endpoint: Endpoint): void {
    const own = this.#own(endpoint);
    own.ejected = false;
    own.unreachable = false;
    this.probes.delete(endpoint);
  }

  probe(endpoint: Endpoint): void {
    this.probesAsked += 1;
    this.probes.add(endpoint);
  }

  degrade(endpoint: Endpoint, isDegraded: boolean): void {
    this.#own(endpoint).slow = isDegraded;
    this.probes.delete(endpoint);
  }

  isolate(endpoint: Endpoint, isIsolated: boolean): void {
    this.#own(endpoint).isolated = isIsolated;
  }

  replace(endpoint: Endpoint): FakeEndpoint {
    const successor = fakeEndpoint(endpoint.slot, `${endpoint.id}b`);
    this.endpoints = this.endpoints.map((each) => (each === endpoint ? successor : each));
    return successor;
  }

  remove(endpoint: Endpoint): void {
    this.endpoints = this.endpoints.filter((each) => each !== endpoint);
  }

  /** The pool's own side of it, also after it has left. */
  #own(endpoint: Endpoint): FakeEndpoint {
    const own: FakeEndpoint = endpoint;
    return own;
  }
}

function fakeEndpoint(slot: number, id = `e${slot}`): FakeEndpoint {
  return {
    id,
    instance: createInstance({ service: 'orders', host: `${id}.local`, port: 80, id }, 1),
    slot,
    inFlight: 0,
    answering: 0,
    ejected: false,
    unreachable: false,
    slow: false,
    checked: 'unknown',
    isolated: false,
    saturated: false,
    warmth: 1,
  };
}
