import type { Clock, ServiceFilter } from '@sd/core';
import type { DiscoveryClient } from '@sd/discovery';

/** What a channel needs to know of the DiscoveryClient that its target names. */
export interface Registration {
  readonly discovery: DiscoveryClient;
  readonly strategy: string | undefined;
  readonly filter: ServiceFilter | undefined;
  readonly keyMetadata: string | undefined;
  readonly connectTimeoutMs: number;
  readonly resolveTimeoutMs: number;
  readonly clock: Clock;
  /** What is to end when it is closed. */
  readonly channels: Set<{ detach(): void }>;
}

/** By the name that stands in `sd://name/service`. Of the process, because the schemes of grpc-js are. */
export const registrations = new Map<string, Registration>();
