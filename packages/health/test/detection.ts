import { ManualClock, type Rng } from '@sd/core';
import type { Endpoint, Outcome } from '@sd/load-balancers';
import { OutlierDetector, type OutlierDetectorOptions } from '../src/outlier-detector.ts';
import type { OutlierEvent } from '../src/outlier-event.ts';
import type { OutlierOptions } from '../src/outlier-options.ts';
import { FakePool, type FakeEndpoint } from './fake-pool.ts';

export interface Given {
  readonly endpoints?: number;
  readonly options?: OutlierOptions;
  /** Default: no jitter. */
  readonly rng?: Rng;
  readonly onAnswer?: OutlierDetectorOptions['onAnswer'];
}

/** A detector, its pool, and ways to say what happened to attempts. */
export class Detection {
  readonly clock = new ManualClock();
  readonly pool: FakePool;
  readonly events: OutlierEvent[] = [];
  readonly detector: OutlierDetector;

  constructor({ endpoints = 10, options = {}, rng = () => 0.5, onAnswer }: Given = {}) {
    this.pool = new FakePool(endpoints);
    this.detector = new OutlierDetector({
      service: 'orders',
      pool: this.pool,
      options,
      clock: this.clock,
      rng,
      onEvent: (event) => this.events.push(event),
      onAnswer,
    });
  }

  at(slot: number): FakeEndpoint {
    const endpoint = this.pool.endpoints.find((each) => each.slot === slot);
    if (endpoint === undefined) throw new Error(`no endpoint ${slot}`);
    return endpoint;
  }

  record(endpoint: Endpoint, outcome: Outcome, { times = 1, latencyMs = 0 } = {}): void {
    for (let time = 0; time < times; time += 1) this.detector.record(endpoint, outcome, latencyMs);
  }

  /** All endpoints of the pool that are in rotation. */
  answerAll({ times = 1, latencyMs = 0, but = [] as readonly Endpoint[] } = {}): void {
    for (const endpoint of this.pool.endpoints) {
      if (!but.includes(endpoint) && !endpoint.ejected) this.record(endpoint, 'ok', { times, latencyMs });
    }
  }

  get ejected(): string[] {
    return this.pool.endpoints.filter(({ ejected }) => ejected).map(({ id }) => id);
  }

  eventsOf<T extends OutlierEvent['type']>(type: T): Extract<OutlierEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<OutlierEvent, { type: T }> => event.type === type);
  }

  /** One attempt on an endpoint that waits for a probe. */
  async probe(endpoint: Endpoint, outcome: Outcome, latencyMs = 1): Promise<void> {
    if (!this.pool.probes.delete(endpoint)) throw new Error(`${endpoint.id} waits for no probe`);
    await this.clock.advance(latencyMs);
    this.record(endpoint, outcome, { latencyMs });
  }
}

/** By a generator: how long an attempt took, log-normal around 20 ms. */
export function latencyBy(rng: Rng): number {
  const normal = Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
  return 20 * Math.exp(0.5 * normal);
}
