import { credentials, type ClientOptions, type Server } from '@grpc/grpc-js';
import { createInstance, type Lease, type ServiceInstanceInit } from '@sd/core';
import { DiscoveryClient, type DiscoveryClientOptions } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { eventually, silentLogger } from '@sd/testkit';
import { expect, onTestFinished } from 'vitest';
import { registerGrpc, type GrpcRegistration, type RegisterGrpcOptions } from '../src/index.ts';
import { OrdersClient } from './orders-client.ts';
import { startServer, type Handlers } from './orders.ts';

export interface Given {
  /** One instance for each. Default: one that answers with its name. */
  readonly handlers?: readonly Handlers[];
  readonly discovery?: Partial<DiscoveryClientOptions>;
  readonly registration?: Partial<RegisterGrpcOptions>;
  /** Options of the channel. */
  readonly channel?: ClientOptions;
  readonly host?: string;
}

export interface Instance {
  readonly server: Server;
  readonly port: number;
  readonly lease: Lease;
}

let count = 0;

/** A service "orders" of real servers, called over a channel of the test's own registration. */
export async function startOrders(given: Given = {}) {
  const { handlers = [{}], host = '127.0.0.1' } = given;
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const discovery = new DiscoveryClient({ backend, logger: silentLogger, ...given.discovery });
  const publish = (init: Partial<ServiceInstanceInit> & { port: number }): Promise<Lease> =>
    backend.register(createInstance({ service: 'orders', host, ...init }, Date.now()), { ttl: 60_000 });
  const add = async (its: Handlers = {}, init: Partial<ServiceInstanceInit> = {}): Promise<Instance> => {
    const { server, port } = await startServer(its, host);
    return { server, port, lease: await publish({ ...init, port }) };
  };
  const instances: Instance[] = [];
  for (const its of handlers) instances.push(await add(its));
  const name = `test-${(count += 1)}`;
  const registration = registerGrpc({ discovery, name, ...given.registration });
  const connect = (options?: ClientOptions): OrdersClient => connectTo(registration, options);
  const client = connect(given.channel);
  onTestFinished(async () => {
    registration.close();
    await discovery.close();
    await backend.close();
  });
  return { backend, discovery, registration, publish, add, instances, connect, client };
}

/** A client of "orders" that is closed when the test ends. */
export function connectTo(registration: GrpcRegistration, options: ClientOptions = {}): OrdersClient {
  const client = new OrdersClient(registration.target('orders'), credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

/** Waits until so many instances answer. */
export async function connected(client: OrdersClient, instances: number): Promise<void> {
  const seen = new Set<string>();
  await eventually(async () => {
    seen.add(await client.get());
    expect(seen.size).toBe(instances);
  });
}

/** How many of each there are. */
export function tally<T>(values: readonly T[]): ReadonlyMap<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

export async function inTurn<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let time = 0; time < times; time += 1) results.push(await work());
  return results;
}
