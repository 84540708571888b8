import { ConfigValidationError, describeValue, systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import { weightOf, type Endpoint, type Outcome } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';
import { WeightedRoundRobin } from './weighted-round-robin.ts';

export interface ZoneAwareOptions {
  /** The consumer's own zone. Without it, or without endpoints there, zones do not matter. */
  readonly zone?: string | undefined;
  /** Share of all consumers' load that comes from this zone, 0 to 1. Default: equal shares for all zones. */
  readonly clientShare?: number | undefined;
  /** Chooses inside a zone. Default: weighted round robin. */
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
  readonly #draws: Draws;
  /** All endpoints, for when zones do not matter or a zone has only endpoints that were tried. */
  readonly #anywhere: Strategy;
  /** Those that have a share of the picks, the own zone first; empty when zones do not matter. */
  #zones: readonly Zone[] = [];
  /** The inner strategies that want to know of attempts. */
  #listening: readonly Strategy[] = [];

  /** @throws {ConfigValidationError} when `clientShare` is not from 0 to 1 */
  constructor({
    zone,
    clientShare,
    rng = systemRng,
    inner = () => new WeightedRoundRobin({ rng }),
  }: ZoneAwareOptions = {}) {
    if (clientShare !== undefined && !(clientShare >= 0 && clientShare <= 1)) {
      throw new ConfigValidationError('ZoneAware', [
        { field: 'clientShare', received: describeValue(clientShare), expected: 'a share from 0 to 1' },
      ]);
    }
    this.#zone = zone;
    this.#clientShare = clientShare;
    this.#inner = inner;
    this.#draws = new Draws(rng);
    this.#anywhere = inner();
  }

  update(endpoints: readonly Endpoint[]): void {
    const before = new Map(this.#zones.map(({ name, strategy }) => [name, strategy]));
    let upTo = 0;
    this.#zones = this.#sharing(endpoints).map(({ name, members, share }) => {
      const strategy = before.get(name) ?? this.#inner();
      strategy.update(members);
      upTo += share * finest;
      return { name, strategy, upTo };
    });
    this.#anywhere.update(endpoints);
    const strategies = [this.#anywhere, ...this.#zones.map(({ strategy }) => strategy)];
    this.#listening = strategies.filter(
      (strategy) => strategy.started !== undefined || strategy.finished !== undefined,
    );
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { tried } = request;
    const endpoint = this.#draw().pick(request);
    if (endpoint === undefined || tried.length === 0 || !tried.includes(endpoint)) return endpoint;
    return this.#anywhere.pick(request);
  }

  started(endpoint: Endpoint): void {
    for (const strategy of this.#listening) strategy.started?.(endpoint);
  }

  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    for (const strategy of this.#listening) strategy.finished?.(endpoint, outcome, latencyMs);
  }

  #draw(): Strategy {
    const zones = this.#zones;
    if (zones.length < 2) return zones[0]?.strategy ?? this.#anywhere;
    const draw = this.#draws.below(finest);
    let index = 0;
    while (index < zones.length - 1 && draw >= (zones[index]?.upTo ?? finest)) index += 1;
    return zones[index]?.strategy ?? this.#anywhere;
  }

  /** The zones that this consumer calls, and their shares of its picks, which sum to 1. */
  #sharing(endpoints: readonly Endpoint[]): readonly Sharing[] {
    const own: Endpoint[] = [];
    const zones = new Map<string | undefined, Endpoint[]>([[this.#zone, own]]);
    for (const endpoint of endpoints) {
      const { zone } = endpoint.instance;
      const members = zones.get(zone);
      if (members === undefined) zones.set(zone, [endpoint]);
      else members.push(endpoint);
    }
    if (this.#zone === undefined || own.length === 0) return [];
    const shares = this.#sharesOf([...zones.values()].map(capacityOf));
    return [...zones]
      .map(([name, members], index) => ({ name, members, share: shares[index] ?? 0 }))
      .filter(({ share }) => share > 0);
  }

  /** By the capacities of the zones, the own zone's first. */
  #sharesOf([own = 0, ...others]: readonly number[]): readonly number[] {
    const total = own + sum(others);
    const clients = this.#clientShare ?? 1 / (others.length + 1);
    const direct = Math.min(1, own / total / clients);
    // What each of the others has left when its own consumers, as many in each zone, have taken their share.
    const spare = others.map((capacity) => Math.max(0, capacity - (total * (1 - clients)) / others.length));
    return [direct, ...spare.map((capacity) => ((1 - direct) * capacity) / (sum(spare) || 1))];
  }
}

/** Shares of picks are drawn this finely. */
const finest = 2 ** 30;

interface Sharing {
  readonly name: string | undefined;
  readonly members: readonly Endpoint[];
  readonly share: number;
}

interface Zone {
  readonly name: string | undefined;
  readonly strategy: Strategy;
  /** The draws below this and not below the previous zone's are for this zone; the last has the rest. */
  readonly upTo: number;
}

function capacityOf(endpoints: readonly Endpoint[]): number {
  return sum(endpoints.map(weightOf));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
