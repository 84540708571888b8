import type { ServiceInstance } from '@sd/core';
import { hazel } from './hazel.ts';
import { ours } from './ours.ts';

/** A library at work on one Redis. */
export interface Contestant {
  register(instance: ServiceInstance): Promise<unknown>;
  /** Publishes a change of an instance that is registered. */
  update(instance: ServiceInstance): Promise<unknown>;
  release(instance: ServiceInstance): Promise<unknown>;
  /** Asks Redis for all instances of the service of this one. */
  lookUp(instance: ServiceInstance): Promise<readonly unknown[]>;
  /** Gives all that are registered their full time again, as fast as the library can. */
  renewAll(): Promise<unknown>;
  /** How many those are. */
  readonly size: number;
}

/** So long a registration lasts, in milliseconds: longer than the benchmark. */
export const longTtl = 600_000;

export const contestants = { sd: ours, hazel } as const satisfies Record<string, (url: string) => Contestant>;

export type ContestantName = keyof typeof contestants;
