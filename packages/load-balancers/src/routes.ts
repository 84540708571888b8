import type { Rng } from '@sd/core';
import { Draws } from './draws.ts';
import { condition, type EndpointGroup, type Level } from './endpoint-group.ts';
import { hashText } from './hash.ts';
import { priorityLoads, type PriorityOptions } from './layers/priority.ts';
import { balanceZones } from './layers/zone-load.ts';
import { zoneShares } from './layers/zones.ts';
import type { PickReason } from './pick-reason.ts';
import type { IncrementalStrategy } from './strategy.ts';
import { sum } from './sum.ts';

export interface RoutesOptions {
  readonly priority: PriorityOptions;
  /** Undefined: zones do not matter. */
  readonly zones: ZoneRouting | undefined;
  readonly isSubset: boolean;
  readonly rng: Rng;
}

export interface ZoneRouting {
  readonly own: string;
  readonly by: 'capacity' | 'load';
  readonly clientShare: number | undefined;
}

/** Where picks may go: the healthy or the degraded endpoints of a group. */
export interface Route {
  readonly group: EndpointGroup;
  readonly strategy: IncrementalStrategy;
  /** Of all picks, 0 to 1. */
  readonly share: number;
  /** The sum of the weights that it bears. */
  readonly capacity: number;
  /** Draws below this, and not below that of the route before, go here. */
  upTo: number;
  readonly reason: PickReason;
}

/** The layers that decide on shares: priority, panic, degraded ones, zones. */
export class Routes {
  readonly #options: RoutesOptions;
  readonly #draws: Draws;
  /** Those with a share. */
  #used: readonly Route[] = [];
  #ranks: readonly (readonly Route[])[] = [];

  constructor(options: RoutesOptions) {
    this.#options = options;
    this.#draws = new Draws(options.rng);
  }

  /** Those with a share of the picks; the shares sum to 1. */
  get used(): readonly Route[] {
    return this.#used;
  }

  /** Hot path. A request with a key goes the same way each time, while shares stay. */
  draw(key: string | undefined): Route | undefined {
    const routes = this.#used;
    if (routes.length < 2) return routes[0];
    const draw = key === undefined ? this.#draws.below(finest) : hashText(key, 3) >>> 2;
    let index = 0;
    while (index < routes.length - 1 && draw >= (routes[index]?.upTo ?? finest)) index += 1;
    return routes[index];
  }

  /** All but one, for when nobody there is left: the healthy by priority, then the degraded; equals by capacity. */
  others(except: Route): readonly Route[] {
    return this.#ranks.flatMap((rank) => {
      const others = rank.filter((route) => route !== except);
      const start = this.#drawByCapacity(others);
      return [...others.slice(start), ...others.slice(0, start)];
    });
  }

  /** Something changed. @returns the levels that are in another state of panic than before */
  update(levels: readonly Level[]): readonly Level[] {
    const loads = priorityLoads(
      levels.map(({ health }) => health),
      this.#options.priority,
    );
    const alarmed = levels.filter((level, place) => {
      const { panic, lastResort } = level.load;
      level.load = loads[place] ?? level.load;
      return panic !== level.load.panic || lastResort !== level.load.lastResort;
    });
    this.#ranks = [
      ...levels.map((level) => this.#mainRoutes(level, level === levels[0])),
      ...levels.map((level) => this.#standbyRoutes(level)),
    ];
    this.#used = this.#ranks.flat().filter(({ share }) => share > 0);
    let upTo = 0;
    for (const route of this.#used) {
      upTo += route.share * finest;
      route.upTo = upTo;
    }
    return alarmed;
  }

  /** Zones by measured load: some time has passed. */
  rebalance(levels: readonly Level[]): void {
    const own = this.#options.zones?.own;
    for (const { groups } of levels) {
      const used = groups.filter(({ capacity }) => capacity > 0);
      balanceZones(
        used.map(({ load }) => load),
        used.findIndex(({ zone }) => zone === own),
      );
    }
    this.update(levels);
  }

  #mainRoutes({ groups, load }: Level, isBest: boolean): readonly Route[] {
    const routed = groups.filter(({ capacity }) => capacity > 0);
    const share = load.healthy + (load.panic ? load.degraded : 0);
    const shares = this.#zoneShares(
      routed,
      routed.map(({ capacity }) => capacity),
    );
    return routed.map((group, place) => {
      const { zones, isSubset } = this.#options;
      const isAbroad = zones !== undefined && groups.length > 1 && group.zone !== zones.own;
      const direct = isSubset ? 'subset' : 'direct';
      return {
        group,
        strategy: group.main,
        share: share * (shares[place] ?? 0),
        capacity: group.capacity,
        upTo: 0,
        reason: load.panic ? 'panic' : !isBest || isAbroad ? 'spill' : direct,
      };
    });
  }

  #standbyRoutes({ groups, load }: Level): readonly Route[] {
    const capacityOf = ({ weights }: EndpointGroup): number =>
      (weights[condition.degraded] ?? 0) + (weights[condition.slow] ?? 0);
    const routed = groups.filter((group) => capacityOf(group) > 0);
    const total = sum(routed.map(capacityOf));
    const share = load.panic ? 0 : load.degraded;
    return routed.flatMap((group): readonly Route[] => {
      const strategy = group.standby;
      if (strategy === undefined) return [];
      const capacity = capacityOf(group);
      return [{ group, strategy, share: (share * capacity) / total, capacity, upTo: 0, reason: 'fallback' }];
    });
  }

  /** By place; they sum to 1. */
  #zoneShares(groups: readonly EndpointGroup[], capacities: readonly number[]): readonly number[] {
    const { zones } = this.#options;
    const own = zones === undefined ? -1 : groups.findIndex(({ zone }) => zone === zones.own);
    const total = sum(capacities);
    if (zones === undefined || own < 0) return capacities.map((capacity) => capacity / total);
    const [direct = 0, ...rest] = zoneShares(
      [capacities[own] ?? 0, ...capacities.filter((_, place) => place !== own)],
      zones.clientShare,
    );
    const byCapacity = [...rest.slice(0, own), direct, ...rest.slice(own)];
    if (zones.by === 'capacity') return byCapacity;
    const byLoad = groups.map(({ load }, place) => (load.share ??= byCapacity[place] ?? 0));
    return byLoad.map((share) => share / sum(byLoad));
  }

  #drawByCapacity(routes: readonly Route[]): number {
    let left = (this.#draws.below(finest) / finest) * sum(routes.map(({ capacity }) => capacity));
    const place = routes.findIndex(({ capacity }) => (left -= capacity) < 0);
    return Math.max(0, place);
  }
}

/** Shares of picks are drawn this finely. */
const finest = 2 ** 30;
