import type { ServiceClient } from '@sd/client';
import type { DiscoveryClient } from '@sd/discovery';

/** The parameters of a constructor that are left to the caller: those that take no client. */
export type OwnArguments<Parameters extends readonly unknown[]> = Parameters extends readonly [
  infer First,
  ...infer Rest,
]
  ? First extends ServiceClient | DiscoveryClient
    ? OwnArguments<Rest>
    : [First, ...OwnArguments<Rest>]
  : Parameters;
