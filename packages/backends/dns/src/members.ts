import { sameInstance, type ServiceInstance } from '@sd/core';
import type { Found } from './service-lookup.ts';

/** However little a server says at a time, no more are kept. */
const maxMembers = 10_000;

/** The instances of a service over several answers, for servers that give a part of them at a time. */
export class Members {
  /** How many answers in a row may lack an instance, less one. */
  readonly #misses: number;
  #known: ReadonlyMap<string, Member> = new Map();

  constructor(misses: number) {
    this.#misses = misses;
  }

  get instances(): readonly ServiceInstance[] {
    return Array.from(this.#known.values(), ({ instance }) => instance);
  }

  /** @returns whether that is news */
  see({ instances, unresolved }: Found): boolean {
    const next = new Map<string, Member>();
    for (const instance of instances) next.set(instance.id, { instance, missed: 0 });
    // A part is never empty: then there is nobody.
    const isEmpty = instances.length === 0 && unresolved.size === 0;
    // Of a target that lacks one family the other is complete.
    const found = new Set(unresolved.size > 0 ? instances.map(familyOf) : []);
    for (const [id, { instance, missed }] of isEmpty ? [] : this.#known) {
      if (next.has(id) || next.size >= maxMembers) continue;
      const isUnknown = unresolved.has(instance.metadata['target'] ?? '') && !found.has(familyOf(instance));
      if (isUnknown || missed + 1 < this.#misses) {
        next.set(id, { instance, missed: isUnknown ? missed : missed + 1 });
      }
    }
    const known = this.#known;
    this.#known = next;
    return (
      next.size !== known.size || [...next].some(([id, { instance }]) => isNews(known.get(id), instance))
    );
  }
}

interface Member {
  readonly instance: ServiceInstance;
  readonly missed: number;
}

const familyOf = ({ host, metadata }: ServiceInstance): string =>
  `${metadata['target']} ${host.includes(':') ? 6 : 4}`;

const isNews = (known: Member | undefined, instance: ServiceInstance): boolean =>
  known === undefined || !sameInstance(known.instance, instance);
