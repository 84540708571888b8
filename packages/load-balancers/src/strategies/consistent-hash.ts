import { ConfigValidationError, describeValue, systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import type { Affinity, IncrementalStrategy, PickRequest } from '../strategy.ts';
import type { KeyTable } from './key-table.ts';
import { WeightedDraw } from './weighted-draw.ts';
import { WeightedMembers } from './weighted-members.ts';

export interface ConsistentHashOptions {
  /** `new HashRing()`, `new MaglevTable()` or `new RendezvousTable()`. */
  readonly table: KeyTable;
  /**
   * No endpoint has more than this many times its fair share of the attempts in flight: keys beyond that go elsewhere.
   * Above 1; 1.25 is usual. Default: unbounded, so that a key leaves its endpoint only with it.
   */
  readonly boundedLoad?: number | undefined;
  readonly rng?: Rng | undefined;
}

/**
 * The same key goes to the same endpoint while that is there. The table is of members, also of those that take no
 * requests now: an ejection moves the keys of that one endpoint and no other, and moves them back when it ends. A key
 * whose owner cannot take it is hashed again until an owner can, so that those keys are spread over all others. An
 * endpoint that is warming up gets its keys back one by one. A call without a key goes to any endpoint, by weight.
 *
 * Source of the bound: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2018.
 */
export class ConsistentHash extends WeightedMembers implements IncrementalStrategy {
  affinity: Affinity | undefined;
  readonly #table: KeyTable;
  readonly #boundedLoad: number;
  readonly #draw: WeightedDraw;
  /** By slot: those that take requests. */
  readonly #open: (Endpoint | undefined)[] = [];
  /** Attempts in flight on all members. */
  #inFlight = 0;

  /** @throws {ConfigValidationError} when `boundedLoad` is not above 1 */
  constructor({ table, boundedLoad = Infinity, rng = systemRng }: ConsistentHashOptions) {
    super(rng);
    if (!(typeof boundedLoad === 'number' && boundedLoad > 1)) {
      throw new ConfigValidationError('ConsistentHash', [
        { field: 'boundedLoad', received: describeValue(boundedLoad), expected: 'a number above 1' },
      ]);
    }
    this.#table = table;
    this.#boundedLoad = boundedLoad;
    this.#draw = new WeightedDraw(this.classes, new Draws(rng));
  }

  override add(endpoint: Endpoint, weight: number): void {
    this.#table.set(endpoint, weight);
    this.#inFlight += endpoint.inFlight;
    super.add(endpoint, weight);
  }

  override remove(endpoint: Endpoint): void {
    this.#table.remove(endpoint);
    this.#inFlight -= endpoint.inFlight;
    this.#open[endpoint.slot] = undefined;
    super.remove(endpoint);
  }

  override reweigh(endpoint: Endpoint, weight: number): void {
    if (weight !== this.weights[endpoint.slot]) this.#table.set(endpoint, weight);
    super.reweigh(endpoint, weight);
  }

  override suspend(endpoint: Endpoint): void {
    this.#open[endpoint.slot] = undefined;
    super.suspend(endpoint);
  }

  override resume(endpoint: Endpoint): void {
    this.#open[endpoint.slot] = endpoint;
    super.resume(endpoint);
  }

  settle(): void {
    this.#table.settle();
  }

  started(): void {
    this.#inFlight += 1;
  }

  finished(): void {
    this.#inFlight -= 1;
  }

  pick({ key, tried }: PickRequest): Endpoint | undefined {
    this.affinity = undefined;
    if (key === undefined) return this.#draw.untried(tried);
    let hash = hashText(key);
    let full = 0;
    for (let probe = 0; probe < mostProbes && full < mostFull; probe += 1) {
      const endpoint = this.#open[this.#table.ownerOf(hash)];
      if (
        endpoint !== undefined &&
        isWarmFor(hash, endpoint) &&
        (tried.length === 0 || !tried.includes(endpoint))
      ) {
        if (this.#hasRoom(endpoint)) {
          this.affinity = probe === 0 ? 'sticky' : 'fallback';
          return endpoint;
        }
        full += 1; // others than full ones must not cut the search short: those keys have nowhere else to go
      }
      hash = mix(hash + 0x9e3779b9);
    }
    this.affinity = 'fallback';
    return this.#anyWithRoom(tried);
  }

  #anyWithRoom(tried: readonly Endpoint[]): Endpoint | undefined {
    let endpoint = this.#draw.untried(tried);
    for (
      let draws = 0;
      draws < mostProbes && endpoint !== undefined && !this.#hasRoom(endpoint);
      draws += 1
    ) {
      endpoint = this.#draw.untried(tried);
    }
    return endpoint;
  }

  #hasRoom(endpoint: Endpoint): boolean {
    if (this.#boundedLoad === Infinity) return true;
    const share = this.classes.weightOf(endpoint) / this.classes.total;
    return endpoint.inFlight < Math.ceil(this.#boundedLoad * (this.#inFlight + 1) * share);
  }
}

/** A key comes home to an endpoint that warms up when that is warm enough for this key. */
function isWarmFor(hash: number, { warmth }: Endpoint): boolean {
  return warmth === 1 || mix(hash ^ 0x5bd1e995) >>> 0 < warmth * 2 ** 32;
}

/** After so many owners that cannot take a key, any endpoint does. */
const mostProbes = 128;

/** After so many that are full, the key is hot: any with room does, as the key's own owners are all full. */
const mostFull = 4;
