import { seededRng, type Rng } from '@sd/core';
import type { StoreTraits } from './chaos-store.ts';
import type { FaultName } from './history.ts';
import { pace } from './pace.ts';

export const providerPlaces = [1, 2, 3] as const;
export const consumerPlaces = [1, 2] as const;
export const sentinelPlaces = [1, 2, 3] as const;

/** What goes wrong when, from the first moment of the schedule on, in milliseconds. */
export interface Step {
  readonly atMs: number;
  readonly fault: Fault;
}

export type Fault =
  | {
      readonly name: 'kill-provider';
      readonly place: number;
      readonly backAfterMs: number;
      readonly sameAddress: boolean;
    }
  | { readonly name: 'kill-consumer'; readonly place: number; readonly backAfterMs: number }
  | {
      readonly name: 'freeze-provider' | 'freeze-consumer';
      readonly place: number;
      readonly forMs: number;
    }
  | {
      readonly name: 'kill-store' | 'wipe-store' | 'freeze-store' | 'reform-store';
      readonly forMs: number;
    }
  | {
      readonly name: 'kill-sentinels' | 'freeze-sentinels';
      /** In these places: one, so that most of them stay, or all. */
      readonly sentinels: readonly number[];
      readonly forMs: number;
    }
  | {
      readonly name: 'cut-off';
      readonly link: Link;
      readonly forMs: number;
      readonly direction: Direction;
    }
  | { readonly name: 'refuse'; readonly link: Link; readonly forMs: number }
  | { readonly name: 'reset'; readonly link: Link }
  | { readonly name: 'slow-link'; readonly link: Link; readonly forMs: number; readonly latencyMs: number }
  | { readonly name: 'bad-entry'; readonly forMs: number }
  | {
      readonly name: 'cut-call';
      readonly provider: number;
      /** Those in these places do not reach it. */
      readonly consumers: readonly number[];
      readonly forMs: number;
      readonly direction: Direction;
    }
  | {
      readonly name: 'slow-call';
      readonly provider: number;
      readonly consumers: readonly number[];
      readonly forMs: number;
      readonly latencyMs: number;
    }
  | { readonly name: 'jump-clock'; readonly link: Link; readonly byMs: number }
  | { readonly name: 'deploy' }
  | { readonly name: 'scale-up'; readonly by: number; readonly forMs: number }
  | { readonly name: 'scale-to-zero'; readonly forMs: number };

/** In which nothing gets through. */
type Direction = 'both' | 'to-server' | 'to-client';

/** A process by its place: who is there when the fault begins. */
export interface Link {
  readonly role: 'provider' | 'consumer';
  readonly place: number;
}

/** The same seed gives the same schedule for the same store. */
export function scheduleOf(seed: number, faults: StoreTraits['faults']): readonly Step[] {
  const draw = new Draw(seededRng(seed));
  const kinds = kindsFor(faults);
  const steps: Step[] = [];
  const wanted = draw.whole(3, 6);
  // One that does not fit beside the others is drawn again; so often that this hardly ever ends with fewer.
  for (let tries = 0; tries < 40 && steps.length < wanted; tries += 1) {
    const atMs = draw.whole(0, lastBeginMs);
    const fault = draw.fault(draw.weighted(kinds));
    if (!steps.some((step) => collide(step, { atMs, fault }))) steps.push({ atMs, fault });
  }
  return steps.sort((one, other) => one.atMs - other.atMs);
}

/** So that a schedule is over after ten seconds. */
const lastBeginMs = 5_500;

export function describeFault(fault: Fault): string {
  const { name, ...details } = fault;
  const words = Object.entries(details).map(([key, value]) =>
    key === 'link' ? linkText(value as Link) : `${key} ${String(value)}`,
  );
  return [name, ...words].join(', ');
}

const linkText = ({ role, place }: Link): string => `${role} ${place}`;

type Weights = readonly (readonly [FaultName, number])[];

function kindsFor(faults: StoreTraits['faults']): Weights {
  const { kill, wipe, freeze, links, formAnew = false, sentinels = false } = faults;
  const all: Weights = [
    ['kill-provider', 4],
    ['freeze-provider', 4],
    ['kill-consumer', 2],
    ['freeze-consumer', 2],
    ['jump-clock', 2],
    ['deploy', 2],
    ['scale-up', 2],
    ['scale-to-zero', 1],
    ['bad-entry', 3],
    ['cut-call', 4],
    ['slow-call', 2],
    ['kill-store', kill ? 4 : 0],
    ['wipe-store', wipe ? 3 : 0],
    ['freeze-store', freeze ? 4 : 0],
    ['cut-off', links ? 4 : 0],
    ['refuse', links ? 2 : 0],
    ['reset', links ? 2 : 0],
    ['slow-link', links ? 2 : 0],
    ['reform-store', formAnew ? 5 : 0],
    ['kill-sentinels', sentinels ? 5 : 0],
    ['freeze-sentinels', sentinels ? 5 : 0],
  ];
  return all.filter(([, weight]) => weight > 0);
}

class Draw {
  readonly #rng: Rng;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** From `least` on, below `limit`. */
  whole(least: number, limit: number): number {
    return least + Math.floor(this.#rng() * (limit - least));
  }

  weighted(weights: Weights): FaultName {
    let left = this.#rng() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of weights) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'kill-provider';
  }

  fault(name: FaultName): Fault {
    switch (name) {
      case 'kill-provider': {
        const sameAddress = this.#rng() < 0.4;
        return { name, place: this.#provider(), backAfterMs: this.#duration(), sameAddress };
      }
      case 'freeze-provider':
        return { name, place: this.#provider(), forMs: this.#duration() };
      case 'kill-consumer':
        return { name, place: this.#consumer(), backAfterMs: this.#duration() };
      case 'freeze-consumer':
        return { name, place: this.#consumer(), forMs: this.#duration() };
      case 'kill-store':
      case 'wipe-store':
      case 'freeze-store':
      case 'reform-store':
        return { name, forMs: this.#duration() };
      case 'kill-sentinels':
      case 'freeze-sentinels': {
        const sentinels = this.#rng() < 0.5 ? sentinelPlaces : [this.whole(1, sentinelPlaces.length + 1)];
        return { name, sentinels, forMs: this.#duration() };
      }
      case 'cut-off':
        return { name, link: this.#link(), forMs: this.#duration(), direction: this.#direction() };
      case 'refuse':
        return { name, link: this.#link(), forMs: this.#duration() };
      case 'reset':
        return { name, link: this.#link() };
      case 'slow-link':
        return { name, link: this.#link(), forMs: this.#duration(), latencyMs: this.whole(20, 200) };
      case 'bad-entry':
        return { name, forMs: this.#duration() };
      case 'cut-call':
        return { name, ...this.#callWay(), forMs: this.#duration(), direction: this.#direction() };
      case 'slow-call':
        // There and back it stays below the timeout of an attempt, so nothing may fail for it.
        return { name, ...this.#callWay(), forMs: this.#duration(), latencyMs: this.whole(20, 150) };
      case 'jump-clock':
        return { name, link: this.#link(), byMs: (this.#rng() < 0.5 ? -1 : 1) * this.whole(1, 60) * 60_000 };
      case 'deploy':
        return { name };
      case 'scale-up':
        return { name, by: this.whole(1, 3), forMs: this.#duration() };
      case 'scale-to-zero':
        return { name, forMs: this.whole(300, 1_500) };
    }
  }

  /** What nobody may notice, or longer than leases live. */
  #duration(): number {
    return this.#rng() < 0.5 ? this.whole(200, 1_200) : this.whole(pace.ttlMs + 500, 2 * pace.ttlMs);
  }

  #provider(): number {
    return this.whole(1, providerPlaces.length + 1);
  }

  #consumer(): number {
    return this.whole(1, consumerPlaces.length + 1);
  }

  #direction(): Direction {
    return (['both', 'to-server', 'to-client'] as const)[this.whole(0, 3)] ?? 'both';
  }

  /** From all, or from one while the other still reaches it. */
  #callWay() {
    const consumers = this.#rng() < 0.5 ? consumerPlaces : [this.#consumer()];
    return { provider: this.#provider(), consumers };
  }

  #link(): Link {
    const role = this.#rng() < 0.5 ? 'provider' : 'consumer';
    return { role, place: role === 'provider' ? this.#provider() : this.#consumer() };
  }
}

/** Whether two want the same at the same time: one store, one process or one link. What is under way ends first. */
function collide(one: Step, other: Step): boolean {
  const shared = resourcesOf(one.fault).filter((resource) => resourcesOf(other.fault).includes(resource));
  return shared.length > 0 && one.atMs < endOf(other) && other.atMs < endOf(one);
}

export function resourcesOf(fault: Fault): readonly string[] {
  switch (fault.name) {
    case 'kill-provider':
    case 'freeze-provider':
      return [`provider ${fault.place}`];
    case 'kill-consumer':
    case 'freeze-consumer':
      return [`consumer ${fault.place}`];
    case 'kill-store':
    case 'wipe-store':
    case 'freeze-store':
    case 'reform-store':
      return ['store'];
    case 'kill-sentinels':
    case 'freeze-sentinels':
      return ['sentinels']; // two of three would be most of them
    case 'deploy':
    case 'scale-to-zero':
      return [...providerPlaces.map((place) => `provider ${place}`), 'scale'];
    case 'scale-up':
      return ['scale'];
    case 'bad-entry':
      return []; // each has a key of its own, and whatever happens to the store meanwhile may
    case 'cut-call':
    case 'slow-call':
      return fault.consumers.map((place) => `way of consumer ${place} to provider ${fault.provider}`);
    case 'jump-clock':
      return [`clock of ${linkText(fault.link)}`];
    default:
      return [linkText(fault.link)];
  }
}

function endOf({ atMs, fault }: Step): number {
  if ('forMs' in fault) return atMs + fault.forMs + restartMs;
  if ('backAfterMs' in fault) return atMs + fault.backAfterMs + restartMs;
  return atMs + (fault.name === 'deploy' ? deployMs : 0);
}

/** About what a process takes to be there again, and a deploy of all. */
const restartMs = 700;
const deployMs = 3_500;
