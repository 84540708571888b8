import { createInstance, type Rng, type ServiceInstance } from '@sd/core';
import {
  anyRequest,
  EndpointPool,
  type EndpointPoolOptions,
  type Endpoint,
  type Outcome,
  type PickRequest,
} from '@sd/load-balancers';
import type { Server } from './server.ts';
import { exponential } from './server.ts';
import type { Simulation } from './simulation.ts';

export interface ConsumerOptions extends Omit<EndpointPoolOptions, 'service' | 'clock' | 'rng'> {
  readonly strategy: string;
  /** By id of the instance. */
  readonly servers: ReadonlyMap<string, Server>;
  /** A request without an answer ends as `timeout`, after so many milliseconds. Default: never. */
  readonly timeoutMs?: number | undefined;
  /** Hears of each request when it has ended. */
  readonly onEnd: (request: EndedRequest) => void;
}

export interface EndedRequest {
  readonly startedAt: number;
  readonly latencyMs: number;
  readonly outcome: Outcome;
  readonly endpoint: Endpoint | undefined;
}

/** A consumer: the shipped pool with a strategy, and requests that it sends one attempt each. */
export class Consumer {
  readonly pool: EndpointPool;
  readonly #simulation: Simulation;
  readonly #options: ConsumerOptions;

  constructor(simulation: Simulation, options: ConsumerOptions) {
    const { strategy: _strategy, servers: _servers, timeoutMs: _timeoutMs, onEnd: _onEnd, ...pool } = options;
    this.#simulation = simulation;
    this.#options = options;
    this.pool = new EndpointPool({ ...pool, service: 'orders', clock: simulation, rng: simulation.rng() });
  }

  /** Sends requests at random moments (Poisson), `perSecond` on average, from `from` to `until`. */
  sendAtRandom(perSecond: number, from: number, until: number, request?: (rng: Rng) => PickRequest): void {
    const rng = this.#simulation.rng();
    const next = (): void => {
      const time = this.#simulation.now() + exponential(1_000 / perSecond, rng);
      if (time < until) this.#simulation.at(time, next);
      this.send(request?.(rng) ?? anyRequest);
    };
    this.#simulation.at(from + exponential(1_000 / perSecond, rng), next);
  }

  /** One request, one attempt. */
  send(request: PickRequest = anyRequest): void {
    const { strategy, servers, timeoutMs, onEnd } = this.#options;
    const startedAt = this.#simulation.now();
    const endpoint = this.pool.set(strategy).pick(request);
    const server = endpoint && servers.get(endpoint.id);
    if (endpoint === undefined || server === undefined) {
      onEnd({ startedAt, latencyMs: 0, outcome: 'error', endpoint: undefined });
      return;
    }
    let isOver = false;
    const end = (outcome: Outcome): void => {
      if (isOver) return;
      isOver = true;
      timeout?.cancel();
      const latencyMs = this.#simulation.now() - startedAt;
      this.pool.finish(endpoint, outcome, latencyMs);
      onEnd({ startedAt, latencyMs, outcome, endpoint });
    };
    const timeout =
      timeoutMs === undefined ? undefined : this.#simulation.setTimer(() => end('timeout'), timeoutMs);
    server.serve(end);
  }
}

/** Instances to update a pool with, published at the start of the simulation. */
export function instances(ids: readonly string[]): readonly ServiceInstance[] {
  return ids.map((id) => createInstance({ service: 'orders', id, host: id, port: 80 }, 0));
}
