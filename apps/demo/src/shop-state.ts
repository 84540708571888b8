import type { InstanceStatus } from '@sd/core';
import type { Fate } from './instance.ts';
import type { Reading } from './samples.ts';

/** The shop at one moment: all that is shown of it. */
export interface ShopState {
  readonly strategy: string;
  /** Calls per second. */
  readonly rate: number;
  readonly elapsedMs: number;
  readonly durationMs: number;
  readonly calls: CallsState;
  /** Those to be shown, service by service. */
  readonly instances: readonly InstanceState[];
  /** Oldest first. */
  readonly events: readonly ShopEvent[];
}

export interface CallsState extends Reading {
  readonly made: number;
  readonly failed: number;
  readonly retries: number;
  readonly inFlight: number;
}

export interface InstanceState extends Reading {
  readonly service: string;
  readonly id: string;
  readonly version: string;
  /** As the registry has it; undefined when it does not know it. */
  readonly status: InstanceStatus | undefined;
  readonly fate: Fate;
  readonly inFlight: number;
}

export interface ShopEvent {
  /** Since the load began. */
  readonly atMs: number;
  readonly text: string;
}
