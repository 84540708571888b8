import type { Pace } from './pace.ts';
import type { ServiceName } from './shop.ts';
import type { TrafficReading } from './traffic.ts';
import type { Disappearance, DisappearanceOptions, Named } from './views.ts';

/** What an instance is, as data that other processes can be told. */
export interface InstanceInit {
  readonly service: ServiceName;
  readonly id: string;
  readonly version: string;
  readonly zone: string;
  readonly strategy: string;
  readonly pace: Pace;
}

/** Where instances run: all in this process, or each in one of its own. */
export interface Host {
  /** Makes ready for so many, so that starting them later takes no time from those that serve. */
  prepare(count: number, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves when consumers can find it. One that is aborted leaves nothing behind that runs. */
  start(init: InstanceInit, options: { readonly signal: AbortSignal }): Promise<Runner>;
  /** Ends what was made ready and not started. */
  close(): Promise<void>;
}

/** What runs one instance. */
export interface Runner {
  /** Aborts, with what is known of it, when the instance died and nobody had killed it. */
  readonly died: AbortSignal;
  /** The newest that is known. */
  readonly traffic: TrafficReading;
  /** From now on each answer takes that much longer, in milliseconds. */
  slowDown(extraMs: number): Promise<void>;
  /** Resolves when a request is in flight, or after half a second without one. */
  busy(): Promise<void>;
  /** Watches how its view loses an instance. */
  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance>;
  /** Versions of the instances of a service that its view has now. */
  versionsOf(service: ServiceName): Promise<readonly string[]>;
  /** Connections break, nobody says goodbye, and nobody renews the lease any more. */
  kill(): Promise<void>;
  /** Leaves in order, without failing a request. */
  drain(): Promise<void>;
  /** Leaves at once. */
  close(): Promise<void>;
}
