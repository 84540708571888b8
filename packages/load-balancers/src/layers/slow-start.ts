import type { Clock, Timer } from '@sd/core';
import type { PooledEndpoint } from '../pooled-endpoint.ts';

export interface SlowStartOptions {
  /** How long an instance is new, in milliseconds. */
  readonly windowMs: number;
  /** How many answers it must have given besides, so that one that is seldom called stays new. Default: 0. */
  readonly requests?: number | undefined;
  /** 1: its weight grows evenly; above 1: faster at first. Default: 1. */
  readonly aggression?: number | undefined;
  /** The part of its weight that it has at once, above 0 to 1. Default: 0.1. */
  readonly minimum?: number | undefined;
}

/**
 * Lets new instances warm up: warmth = max(minimum, t ^ (1 / aggression)), where t goes from 0 to 1 with the time since
 * they were first seen, and with the answers they gave. Those in a pool's first snapshot are as old as they say.
 *
 * Source: Envoy's slow start mode; the count of answers is ours.
 */
export class SlowStart {
  readonly #options: { readonly [name in keyof Required<SlowStartOptions>]: number };
  readonly #clock: Clock;
  readonly #onWarmer: (endpoints: readonly PooledEndpoint[]) => void;
  readonly #warming = new Map<PooledEndpoint, { readonly since: number; answers: number }>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(
    options: SlowStartOptions,
    clock: Clock,
    onWarmer: (endpoints: readonly PooledEndpoint[]) => void,
  ) {
    const { windowMs, requests = 0, aggression = 1, minimum = 0.1 } = options;
    this.#options = { windowMs, requests, aggression, minimum };
    this.#clock = clock;
    this.#onWarmer = onWarmer;
  }

  /** @param ageMs what is known of its age */
  begin(endpoint: PooledEndpoint, ageMs: number): void {
    if (this.#isClosed || ageMs >= this.#options.windowMs) return;
    this.#warming.set(endpoint, { since: this.#clock.monotonic() - Math.max(0, ageMs), answers: 0 });
    this.#warm(endpoint);
    this.#timer ??= this.#clock.setTimer(this.#tick, this.#stepMs);
  }

  answered(endpoint: PooledEndpoint): void {
    const state = this.#warming.get(endpoint);
    if (state !== undefined) state.answers += 1;
  }

  forget(endpoint: PooledEndpoint): void {
    this.#warming.delete(endpoint);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#warming.clear();
  }

  get #stepMs(): number {
    return Math.min(1_000, Math.max(50, this.#options.windowMs / 40));
  }

  readonly #tick = (): void => {
    const endpoints = [...this.#warming.keys()];
    for (const endpoint of endpoints) this.#warm(endpoint);
    this.#onWarmer(endpoints);
    this.#timer = this.#warming.size > 0 ? this.#clock.setTimer(this.#tick, this.#stepMs) : undefined;
  };

  #warm(endpoint: PooledEndpoint): void {
    const { windowMs, requests, aggression, minimum } = this.#options;
    const state = this.#warming.get(endpoint);
    if (state === undefined) return;
    const byTime = (this.#clock.monotonic() - state.since) / windowMs;
    const byAnswers = requests === 0 ? 1 : state.answers / requests;
    const progress = Math.min(1, byTime, byAnswers);
    endpoint.warmth = Math.max(minimum, progress ** (1 / aggression));
    if (progress === 1) this.#warming.delete(endpoint);
  }
}
