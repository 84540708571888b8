import type { Clock, Rng } from '@sd/core';
import type { Endpoint, Strategy } from '@sd/load-balancers';
import type { ProbeAnswer } from './probed-server.ts';

export interface PrequalOptions {
  readonly clock: Clock;
  readonly rng: Rng;
  /** Asks a server, which answers at once: kinder than a network. */
  readonly probe: (endpoint: Endpoint) => ProbeAnswer | undefined;
}

/**
 * Prequal: with each request three random servers are probed, and the pool keeps the last 16 answers for up to a
 * second. Servers with more in flight than most (0.84 quantile) are hot. The cold one with the lowest latency is chosen,
 * or the hot one with the fewest in flight when none is cold. A probe is used about twice, counts the requests sent by
 * it, and with each request one more is dropped: in turn the oldest and the worst.
 *
 * Unlike all others here it does not go by what the client knows, but by what servers say: its probes see the load of
 * all clients.
 *
 * Source: Wydrowski et al., "Load is Not What You Should Balance: Introducing Prequal", NSDI 2024, section 4, with its
 * defaults.
 */
export class Prequal implements Strategy {
  readonly #options: PrequalOptions;
  #endpoints: readonly Endpoint[] = [];
  /** The oldest first. */
  #pool: Probe[] = [];
  /** What probes said lately, in a circle: by it, hot is told from cold. */
  readonly #seenInFlight: number[] = [];
  #probes = 0;
  #dropsWorst = false;

  constructor(options: PrequalOptions) {
    this.#options = options;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    this.#pool = this.#pool.filter(({ endpoint }) => endpoints.includes(endpoint));
  }

  pick(): Endpoint | undefined {
    const now = this.#options.clock.monotonic();
    for (let count = 0; count < probesPerRequest; count += 1) this.#probe(now);
    this.#pool = this.#pool.filter(({ at }) => now - at <= oldestMs);
    const hotAbove = this.#hotAbove();
    const best = this.#pool.length < leastPool ? undefined : this.#best(hotAbove);
    if (best === undefined) return this.#any();
    best.inFlight += 1;
    best.uses -= 1;
    if (best.uses <= 0) this.#drop(best);
    this.#dropOne(hotAbove);
    return best.endpoint;
  }

  #probe(at: number): void {
    const endpoint = this.#any();
    const answer = endpoint && this.#options.probe(endpoint);
    if (endpoint === undefined || answer === undefined) return;
    this.#seenInFlight[this.#probes++ % seenProbes] = answer.inFlight;
    this.#pool.push({ endpoint, at, ...answer, uses: this.#uses() });
    if (this.#pool.length > poolSize) this.#pool.shift();
  }

  #any(): Endpoint | undefined {
    return this.#endpoints[Math.floor(this.#options.rng() * this.#endpoints.length)];
  }

  /** A whole number, at random, that is right on average: what comes into the pool must suffice for what leaves it. */
  #uses(): number {
    const fresh = 1 - Math.min(1, poolSize / this.#endpoints.length);
    const uses = Math.max(1, (1 + spare) / Math.max(0.1, fresh * probesPerRequest - dropsPerRequest));
    return Math.floor(uses + this.#options.rng());
  }

  #hotAbove(): number {
    const sorted = this.#seenInFlight.toSorted((one, other) => one - other);
    return sorted[Math.floor(quantile * (sorted.length - 1))] ?? 0;
  }

  #best(hotAbove: number): Probe | undefined {
    return this.#pool.reduce<Probe | undefined>(
      (best, probe) => (best === undefined || isBetter(probe, best, hotAbove) ? probe : best),
      undefined,
    );
  }

  #dropOne(hotAbove: number): void {
    this.#dropsWorst = !this.#dropsWorst;
    const [oldest] = this.#pool;
    if (oldest === undefined) return;
    const worst = this.#pool.reduce((one, probe) => (isBetter(one, probe, hotAbove) ? probe : one), oldest);
    this.#drop(this.#dropsWorst ? worst : oldest);
  }

  #drop(probe: Probe): void {
    this.#pool.splice(this.#pool.indexOf(probe), 1);
  }
}

interface Probe {
  readonly endpoint: Endpoint;
  readonly at: number;
  readonly latencyMs: number;
  inFlight: number;
  uses: number;
}

/** The hot-cold lexicographic rule. */
function isBetter(one: Probe, other: Probe, hotAbove: number): boolean {
  const isHot = one.inFlight > hotAbove;
  if (isHot !== other.inFlight > hotAbove) return !isHot;
  return isHot ? one.inFlight < other.inFlight : one.latencyMs < other.latencyMs;
}

const probesPerRequest = 3;
const dropsPerRequest = 1;
const poolSize = 16;
const leastPool = 2;
const oldestMs = 1_000;
const quantile = 2 ** -0.25;
const spare = 1;
const seenProbes = 64;
