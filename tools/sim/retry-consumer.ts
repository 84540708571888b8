import type { DiscoveryLogger } from '@sd/core';
import {
  DiscoveryClient,
  type Attempt,
  type CallOptions,
  type DiscoveryClientOptions,
  type Failure,
  type FailureClassifier,
} from '@sd/discovery';
import type { Endpoint, Outcome } from '@sd/load-balancers';
import type { EndedRequest } from './consumer.ts';
import { exponential, type Server } from './server.ts';
import type { Simulation } from './simulation.ts';

export interface RetryConsumerOptions extends Omit<DiscoveryClientOptions, 'clock' | 'rng' | 'logger'> {
  /** By id of the instance. */
  readonly servers: ReadonlyMap<string, Server>;
  /** Hears of each call when it has ended: its outcome is that of the last attempt. */
  readonly onEnd: (call: EndedCall) => void;
}

export interface EndedCall extends EndedRequest {
  readonly attempts: number;
}

/** A consumer that calls through the shipped engine of attempts. To be run with `Simulation.runAsync`. */
export class RetryConsumer {
  readonly #simulation: Simulation;
  readonly #servers: ReadonlyMap<string, Server>;
  readonly #onEnd: (call: EndedCall) => void;
  readonly #client: DiscoveryClient;

  constructor(simulation: Simulation, { servers, onEnd, ...client }: RetryConsumerOptions) {
    this.#simulation = simulation;
    this.#servers = servers;
    this.#onEnd = onEnd;
    this.#client = new DiscoveryClient({
      ...client,
      clock: simulation,
      rng: simulation.rng(),
      logger: silent,
    });
  }

  /** Calls at random moments (Poisson), `perSecond` on average, from `from` to `until`. */
  callAtRandom(perSecond: number, from: number, until: number): void {
    const rng = this.#simulation.rng();
    const next = (): void => {
      const time = this.#simulation.now() + exponential(1_000 / perSecond, rng);
      if (time < until) this.#simulation.at(time, next);
      void this.#call();
    };
    this.#simulation.at(from + exponential(1_000 / perSecond, rng), next);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Never rejects: what became of it is for `onEnd`. */
  async #call(): Promise<void> {
    const startedAt = this.#simulation.now();
    let attempts = 0;
    let endpoint: Endpoint | undefined;
    let outcome: Outcome = 'ok';
    try {
      await this.#client.call(
        'orders',
        (attempt) => {
          attempts += 1;
          endpoint = attempt.endpoint;
          return this.#attempt(attempt);
        },
        callOptions,
      );
    } catch (error) {
      outcome = error instanceof FailedAttempt ? error.outcome : 'error';
    }
    this.#onEnd({ startedAt, latencyMs: this.#simulation.now() - startedAt, outcome, endpoint, attempts });
  }

  /** The server does not hear that nobody waits any more, as most do not. */
  #attempt({ endpoint }: Attempt): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#servers.get(endpoint.id)?.serve((outcome) => {
        if (outcome === 'ok' || outcome === 'cancelled') resolve();
        else reject(new FailedAttempt(outcome));
      });
    });
  }
}

class FailedAttempt extends Error {
  readonly outcome: Failure['outcome'];

  constructor(outcome: Failure['outcome']) {
    super(outcome);
    this.outcome = outcome;
  }
}

const classify: FailureClassifier = (error) =>
  error instanceof FailedAttempt ? { outcome: error.outcome, retryable: true } : undefined;

const callOptions: CallOptions = { idempotent: true, classify };

const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
