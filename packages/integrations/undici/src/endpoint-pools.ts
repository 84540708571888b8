import { originOf } from '@sd/client';
import type { ServiceInstance } from '@sd/core';
import type { Attempt, DiscoveryClient } from '@sd/discovery';
import { Pool, type Dispatcher } from 'undici';
import type { DiscoveryAgentOptions } from './discovery-agent.ts';
import { PromptClient } from './prompt-client.ts';
import type { Body, EndpointRoute, Headers } from './service-dispatcher.ts';

type Endpoint = Attempt['endpoint'];

export interface EndpointPoolsOptions extends Pick<DiscoveryAgentOptions, 'connectTimeoutMs' | 'servername'> {
  readonly discovery: DiscoveryClient;
  readonly pool: NonNullable<DiscoveryAgentOptions['pool']>;
}

/** A pool of connections for each endpoint of a service, from its first request until it leaves. */
export class EndpointPools implements EndpointRoute {
  readonly #options: EndpointPoolsOptions;
  readonly #pools = new Map<Endpoint, { instance: ServiceInstance; readonly pool: Pool }>();
  /** A call that picked one of them before may still be about to send. */
  readonly #left = new WeakSet<Endpoint>();
  readonly #ignoreLeaving: () => void;
  #events: Dispatcher | undefined;

  constructor(options: EndpointPoolsOptions) {
    this.#options = options;
    this.#ignoreLeaving = options.discovery.onLeave((endpoint) => {
      this.#left.add(endpoint);
      this.#drop(endpoint);
    });
  }

  /** Where it is told that connections come and go. */
  tell(events: Dispatcher): void {
    this.#events = events;
  }

  /** Hot path. */
  send(
    endpoint: Endpoint,
    request: Dispatcher.DispatchOptions,
    body: Body,
    headers: Headers,
    handler: Dispatcher.DispatchHandler,
  ): void {
    this.poolOf(endpoint).dispatch(pooled(request, body, headers), handler);
  }

  /** For one request, which is made before anything else happens. */
  poolOf(endpoint: Endpoint): Pool {
    let known = this.#pools.get(endpoint);
    const { instance } = endpoint;
    if (known !== undefined && known.instance !== instance && this.#isAsBefore(known.instance, instance)) {
      known.instance = instance; // its weight or its metadata is another
    } else if (known?.instance !== instance) {
      this.#drop(endpoint);
      known = { instance, pool: this.#open(instance) };
      this.#pools.set(endpoint, known);
      if (this.#left.has(endpoint)) queueMicrotask(() => this.#drop(endpoint));
    }
    return known.pool;
  }

  async close(): Promise<void> {
    this.#ignoreLeaving();
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.close()));
    this.#pools.clear();
  }

  async destroy(error: Error | null): Promise<void> {
    this.#ignoreLeaving();
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy(error)));
    this.#pools.clear();
  }

  /** Whether the connections to it may be kept. */
  #isAsBefore(before: ServiceInstance, now: ServiceInstance): boolean {
    const { servername = serviceName } = this.#options;
    return originOf(before) === originOf(now) && servername(before) === servername(now);
  }

  #open(instance: ServiceInstance): Pool {
    const { pool: options, connectTimeoutMs = 1_000, servername = serviceName } = this.#options;
    const { connect } = options;
    const pool = new Pool(originOf(instance), {
      connectTimeout: connectTimeoutMs,
      ...options,
      factory: (origin, clientOptions) => new PromptClient(origin, clientOptions),
      connect: typeof connect === 'function' ? connect : { servername: servername(instance), ...connect },
    });
    pool.on('connect', (origin, targets) => this.#events?.emit('connect', origin, targets));
    pool.on('disconnect', (origin, targets, error) =>
      this.#events?.emit('disconnect', origin, targets, error),
    );
    pool.on('connectionError', (origin, targets, error) =>
      this.#events?.emit('connectionError', origin, targets, error),
    );
    return pool;
  }

  /** Requests under way end first. */
  #drop(endpoint: Endpoint): void {
    const known = this.#pools.get(endpoint);
    if (known === undefined) return;
    this.#pools.delete(endpoint);
    known.pool.close().catch(() => undefined); // it is closed already
  }
}

const serviceName = ({ service }: ServiceInstance): string => service;

/** All that a pool reads of a request. By name, as a spread takes longer than the rest; most requests say no more than four. */
function pooled(request: PooledRequest, body: Body, headers: Headers): Dispatcher.DispatchOptions {
  const { path, method, query, idempotent, blocking, upgrade, headersTimeout, bodyTimeout } = request;
  const { reset, expectContinue, throwOnError, typeOfService, maxRedirections, servername } = request;
  const isUsual =
    query === undefined &&
    idempotent === undefined &&
    blocking === undefined &&
    upgrade === undefined &&
    headersTimeout === undefined &&
    bodyTimeout === undefined &&
    reset === undefined &&
    expectContinue === undefined &&
    throwOnError === undefined &&
    typeOfService === undefined &&
    (maxRedirections === undefined || maxRedirections === 0) && // as `fetch` says
    servername === undefined;
  if (isUsual) return { path, method, body, headers };
  const all = {
    path,
    method,
    body,
    headers,
    query,
    idempotent,
    blocking,
    upgrade,
    headersTimeout,
    bodyTimeout,
    reset,
    expectContinue,
    throwOnError,
    typeOfService,
    maxRedirections,
    servername,
  };
  return all as Dispatcher.DispatchOptions;
}

/** Two more than its type has. */
type PooledRequest = Dispatcher.DispatchOptions & {
  readonly maxRedirections?: unknown;
  readonly servername?: unknown;
};
