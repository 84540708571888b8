import { systemRng, type Rng } from '@sd/core';
import type { Endpoint, Outcome } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';
import { RoundRobin } from './round-robin.ts';

export interface ZoneAwareOptions {
  /** The consumer's own zone. Without it, all endpoints are one zone. */
  readonly zone?: string | undefined;
  /** Share of all consumers' load that comes from this zone, 0 to 1. Default: equal shares for all zones. */
  readonly clientShare?: number | undefined;
  /** Chooses inside a zone. Default: round robin. */
  readonly inner?: (() => Strategy) | undefined;
  readonly rng?: Rng | undefined;
}

/**
 * Prefers endpoints in the consumer's own zone, as far as these can bear it: a zone that has less than its fair share
 * of the capacity spills the rest over to zones that have more than theirs, in proportion to what they have to spare.
 * Capacity is the sum of weights. Source: Envoy's zone-aware routing (`upstream/load_balancer_impl`), with the share
 * of consumers per zone assumed equal where it is not given.
 */
export class ZoneAware implements Strategy {
  readonly #zone: string | undefined;
  readonly #clientShare: number | undefined;
  readonly #inner: () => Strategy;
  readonly #rng: Rng;
  /** The own zone first, if it has endpoints. */
  #zones: readonly Zone[] = [];
  readonly #strategies = new Map<string | undefined, Strategy>();

  constructor({
    zone,
    clientShare,
    rng = systemRng,
    inner = () => new RoundRobin({ rng }),
  }: ZoneAwareOptions = {}) {
    this.#zone = zone;
    this.#clientShare = clientShare;
    this.#inner = inner;
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    const members = new Map<string | undefined, Endpoint[]>();
    // The own zone first: nearly all picks end there.
    if (endpoints.some(({ instance }) => instance.zone === this.#zone)) members.set(this.#zone, []);
    for (const endpoint of endpoints) {
      const { zone } = endpoint.instance;
      const list = members.get(zone);
      if (list === undefined) members.set(zone, [endpoint]);
      else list.push(endpoint);
    }
    for (const zone of this.#strategies.keys()) if (!members.has(zone)) this.#strategies.delete(zone);
    const shares = this.#sharesOf(members);
    let upTo = 0;
    this.#zones = [...members].map(([zone, list], index) => {
      const strategy = this.#strategies.get(zone) ?? this.#inner();
      this.#strategies.set(zone, strategy);
      strategy.update(list);
      upTo += shares[index] ?? 0;
      return { strategy, upTo };
    });
  }

  pick(request: PickRequest): Endpoint | undefined {
    const zones = this.#zones;
    const draw = this.#rng();
    let chosen = zones.length - 1;
    for (let index = 0; index < zones.length; index += 1) {
      if (draw < (zones[index]?.upTo ?? 1)) {
        chosen = index;
        break;
      }
    }
    const endpoint = zones[chosen]?.strategy.pick(request);
    if (endpoint === undefined || request.tried.length === 0 || !request.tried.includes(endpoint))
      return endpoint;
    for (const { strategy } of zones) {
      const other = strategy.pick(request);
      if (other !== undefined && !request.tried.includes(other)) return other;
    }
    return endpoint;
  }

  started(endpoint: Endpoint): void {
    for (const { strategy } of this.#zones) strategy.started?.(endpoint);
  }

  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    for (const { strategy } of this.#zones) strategy.finished?.(endpoint, outcome, latencyMs);
  }

  /** Each zone's share of this consumer's picks, in the order of the map; their sum is 1. */
  #sharesOf(members: ReadonlyMap<string | undefined, readonly Endpoint[]>): readonly number[] {
    const capacities = [...members.values()].map(capacityOf);
    const total = sum(capacities);
    if (this.#zone === undefined || !members.has(this.#zone))
      return capacities.map((capacity) => capacity / total);
    const fair = total / members.size;
    const [own = 0, ...others] = capacities;
    const direct = Math.min(1, own / total / (this.#clientShare ?? 1 / members.size));
    const spare = others.map((capacity) => Math.max(0, capacity - fair));
    // Nobody has anything to spare only when this zone sends more than the others: then all help alike.
    const spill = sum(spare) > 0 ? spare : others;
    return [direct, ...spill.map((capacity) => ((1 - direct) * capacity) / sum(spill))];
  }
}

interface Zone {
  readonly strategy: Strategy;
  /** The draws below this and not below the previous zone's are for this zone. */
  readonly upTo: number;
}

function capacityOf(endpoints: readonly Endpoint[]): number {
  const weight = sum(endpoints.map(({ instance }) => instance.weight));
  return weight > 0 ? weight : endpoints.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
