import type { Booking } from './ledger.ts';
import type { InstanceInit } from './runner.ts';
import type { ServiceName } from './shop.ts';
import type { StorePlace } from './stores.ts';
import type { TrafficReading } from './traffic.ts';
import type { Disappearance, DisappearanceOptions, Named } from './views.ts';

/** What a process that runs an instance is asked by its parent; see `Runner`. */
export interface ChildApi {
  /** Connects to the store. */
  prepare(place: StorePlace): Promise<void>;
  start(init: InstanceInit): Promise<void>;
  slowDown(extraMs: number): Promise<void>;
  busy(): Promise<void>;
  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance>;
  versionsOf(service: ServiceName): Promise<readonly string[]>;
  /** The process is to end by itself afterwards, when its parent lets go of it. */
  drain(): Promise<void>;
  /** As after `drain()`. */
  close(): Promise<void>;
}

/** What it asks its parent, and tells it. */
export interface ParentApi {
  book(payment: Booking): Promise<Booking>;
  /** A service had an answer of another one. */
  answered(service: ServiceName, attempts: number): void;
  /** Sent a few times a second, and before the end. */
  traffic(reading: TrafficReading): void;
  /** Something that a logger was told. */
  log(message: string): void;
}
