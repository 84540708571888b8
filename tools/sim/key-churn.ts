import { createInstance, type Rng } from '@sd/core';
import {
  ConsistentHash,
  EndpointPool,
  LoadBalancerFactory,
  type Endpoint,
  type EndpointSet,
  type KeyTable,
  type StrategyCreator,
} from '@sd/load-balancers';
import { exponential } from './server.ts';
import type { Simulation } from './simulation.ts';

export interface KeyChurn {
  /** Keys of others that moved when one endpoint was ejected, in percent of all keys. */
  readonly movedByEjection: number;
  /** Keys that were not where they had been after it was restored, in percent. */
  readonly astray: number;
  /** Keys of others that moved when one left, in percent. */
  readonly movedByLeaving: number;
}

/** Where keys go while one endpoint is ejected, after it is restored, and after another has left. */
export function churn(
  simulation: Simulation,
  strategy: StrategyCreator,
  endpoints: number,
  keys: number,
): KeyChurn {
  const rng = simulation.rng();
  const { pool, set } = poolOf(simulation, strategy, endpoints);
  const names = Array.from({ length: keys }, () => `user-${Math.floor(rng() * 2 ** 32)}`);
  const owners = (): readonly (Endpoint | undefined)[] => names.map((key) => ownerOf(key, pool, set));
  const share = (holds: (key: number) => boolean): number =>
    (100 * names.filter((_, key) => holds(key)).length) / keys;
  const anyOf = (list: readonly Endpoint[]): Endpoint => {
    const endpoint = list[Math.floor(rng() * list.length)];
    if (endpoint === undefined) throw new Error('The pool is empty');
    return endpoint;
  };

  const before = owners();
  const ejected = anyOf(pool.endpoints);
  pool.eject(ejected, 1_000);
  const during = owners();
  pool.restore(ejected);
  const after = owners();
  const left = anyOf(pool.endpoints);
  pool.update(pool.endpoints.filter((each) => each !== left).map(({ instance }) => instance));
  const without = owners();
  pool.close();
  return {
    movedByEjection: share((key) => before[key] !== ejected && during[key] !== before[key]),
    astray: share((key) => after[key] !== before[key]),
    movedByLeaving: share((key) => after[key] !== left && without[key] !== after[key]),
  };
}

export interface SkewedLoad {
  readonly endpoints: number;
  readonly keys: number;
  /** The key of rank r is asked for `r ** -exponent` as often as the first. */
  readonly exponent: number;
  /** On average, on all endpoints together. */
  readonly inFlight: number;
  /** Picks that are measured, when the load is steady. */
  readonly picks: number;
  readonly boundedLoad: number;
}

export interface BoundedAffinity {
  /** Most attempts in flight that a pick led to, for the fair share at that moment. */
  readonly peak: number;
  /** Picks that went to an endpoint that was at its bound. */
  readonly aboveBound: number;
  /** Picks that went to their key's first owner, in percent. */
  readonly affinity: number;
  /** What affinity could be at most: no owner keeps more than its bound allows. */
  readonly affinityPossible: number;
  /** Owners asked for, on average. */
  readonly probes: number;
}

/** What is left of affinity when a bound on the load meets keys that are not alike. */
export function boundedAffinity(
  simulation: Simulation,
  makeTable: () => KeyTable,
  load: SkewedLoad,
): BoundedAffinity {
  const { endpoints, boundedLoad, inFlight, picks } = load;
  const table = new CountingTable(makeTable());
  const { pool, set } = poolOf(
    simulation,
    ({ rng }) => new ConsistentHash({ table, rng, boundedLoad }),
    endpoints,
  );
  const rng = simulation.rng();
  const keys = new ZipfKeys(load.keys, load.exponent, rng);
  const meanMs = 50;
  const betweenMs = meanMs / inFlight;
  const steadyAt = 2 * meanMs;
  let total = 0;
  let measured = 0;
  let aboveBound = 0;
  let sticky = 0;
  let probes = 0;
  let peak = 0;
  const send = (): void => {
    table.lookups = 0;
    const endpoint = set.pick({ key: keys.draw(), tried: [] });
    if (endpoint === undefined) throw new Error('The pool is empty');
    total += 1;
    simulation.setTimer(
      () => {
        total -= 1;
        pool.finish(endpoint, 'ok', meanMs);
      },
      exponential(meanMs, rng),
    );
    if (simulation.now() < steadyAt || measured === picks) return;
    measured += 1;
    probes += table.lookups;
    if (table.lookups === 1) sticky += 1;
    if (endpoint.inFlight > Math.ceil((boundedLoad * total) / endpoints)) aboveBound += 1;
    peak = Math.max(peak, (endpoint.inFlight * endpoints) / total);
  };
  const sendNext = (): void => {
    send();
    if (measured < picks) simulation.setTimer(sendNext, exponential(betweenMs, rng));
  };
  for (let count = 0; count < inFlight; count += 1) send(); // work is memoryless: the load is what it will be at once
  sendNext();
  simulation.run(Infinity);
  pool.close();
  return {
    peak,
    aboveBound,
    affinity: (100 * sticky) / picks,
    affinityPossible: 100 * possibleAffinity(simulation, makeTable, load, keys),
    probes: probes / picks,
  };
}

/** Share of picks that first owners could keep, had each of them `boundedLoad` of the fair share and nothing else. */
function possibleAffinity(
  simulation: Simulation,
  makeTable: () => KeyTable,
  { endpoints, boundedLoad }: SkewedLoad,
  keys: ZipfKeys,
): number {
  const unbounded: StrategyCreator = ({ rng }) => new ConsistentHash({ table: makeTable(), rng });
  const { pool, set } = poolOf(simulation, unbounded, endpoints);
  const shares = new Float64Array(endpoints);
  for (const { key, share } of keys.all()) {
    const slot = ownerOf(key, pool, set)?.slot ?? -1;
    shares[slot] = (shares[slot] ?? 0) + share;
  }
  pool.close();
  return shares.reduce((sum, share) => sum + Math.min(share, boundedLoad / endpoints), 0);
}

function poolOf(
  simulation: Simulation,
  strategy: StrategyCreator,
  endpoints: number,
): { readonly pool: EndpointPool; readonly set: EndpointSet } {
  const factory = new LoadBalancerFactory().register('keyed', strategy);
  const pool = new EndpointPool({ service: 'sessions', factory, clock: simulation, rng: simulation.rng() });
  const ids = Array.from({ length: endpoints }, (_, index) => `server-${index}`);
  pool.update(ids.map((id) => createInstance({ service: 'sessions', id, host: id, port: 80 }, 0)));
  return { pool, set: pool.set('keyed') };
}

function ownerOf(key: string, pool: EndpointPool, set: EndpointSet): Endpoint | undefined {
  const endpoint = set.pick({ key, tried: [] });
  if (endpoint !== undefined) pool.finish(endpoint, 'cancelled', 0);
  return endpoint;
}

/** A table that counts how often it is asked. */
class CountingTable implements KeyTable {
  lookups = 0;
  readonly #table: KeyTable;

  constructor(table: KeyTable) {
    this.#table = table;
  }

  set(endpoint: Endpoint, weight: number): void {
    this.#table.set(endpoint, weight);
  }

  remove(endpoint: Endpoint): void {
    this.#table.remove(endpoint);
  }

  settle(): void {
    this.#table.settle();
  }

  ownerOf(hash: number): number {
    this.lookups += 1;
    return this.#table.ownerOf(hash);
  }
}

/** Keys that are asked for unequally often: Zipf's law. Which key has which rank depends on the randomness. */
class ZipfKeys {
  readonly #rng: Rng;
  readonly #salt: number;
  /** By rank: the share of this key and of all before it. */
  readonly #upTo: Float64Array;

  constructor(count: number, exponent: number, rng: Rng) {
    this.#rng = rng;
    this.#salt = Math.floor(rng() * 2 ** 32);
    this.#upTo = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank += 1) this.#upTo[rank] = sum += (rank + 1) ** -exponent;
    for (let rank = 0; rank < count; rank += 1) this.#upTo[rank] = (this.#upTo[rank] ?? 0) / sum;
  }

  draw(): string {
    const drawn = this.#rng();
    let low = 0;
    let high = this.#upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#upTo[middle] ?? 1) > drawn) high = middle;
      else low = middle + 1;
    }
    return this.#nameOf(low);
  }

  *all(): Generator<{ readonly key: string; readonly share: number }> {
    for (let rank = 0; rank < this.#upTo.length; rank += 1) {
      yield { key: this.#nameOf(rank), share: (this.#upTo[rank] ?? 0) - (this.#upTo[rank - 1] ?? 0) };
    }
  }

  #nameOf(rank: number): string {
    return `user-${this.#salt}-${rank}`;
  }
}
