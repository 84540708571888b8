import { createInstance } from '@sd/core';
import { DiscoveryClient } from '@sd/client';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { Agent, BalancedPool, fetch, Pool, type Dispatcher } from 'undici';
import { DiscoveryAgent, type DiscoveryAgentOptions } from '@sd/undici';
import { roundRobin } from '../../../../tools/bench/round-robin.ts';

/** Gets one answer and reads it to its end. */
export type Contestant = () => Promise<unknown>;

export const contestants = {
  'request: Pools by hand': (ports) => byRequest(roundRobin(poolsOf(ports))),
  // What a request through us has as well.
  'request: Pools by hand, time limit': (ports) => {
    const next = roundRobin(poolsOf(ports));
    const limited = () => ({ path, method: 'GET', signal: AbortSignal.timeout(5_000) }) as const;
    return async () => readAll(await next().request(limited()));
  },
  'request: BalancedPool': (ports) => byRequest(always(new BalancedPool(originsOf(ports)))),
  'request: Agent': (ports) => {
    const [agent, origin] = [new Agent(), roundRobin(originsOf(ports))];
    return async () => readAll(await agent.request({ origin: origin(), path, method: 'GET' }));
  },
  'request: @sd/undici': async (ports) => {
    const agent = await sd(ports);
    return async () => readAll(await agent.request({ origin: 'http://orders', path, method: 'GET' }));
  },
  'request: @sd/undici, plain': async (ports) => {
    const agent = await sd(ports, { deadlineHeader: false, hedge: false });
    return async () => readAll(await agent.request({ origin: 'http://orders', path, method: 'GET' }));
  },
  'fetch: Pools by hand': (ports) => {
    const [pool, origin] = [roundRobin(poolsOf(ports)), roundRobin(originsOf(ports))];
    return async () => readJson(await fetch(`${origin()}${path}`, { dispatcher: pool() }));
  },
  'fetch: Agent': (ports) => {
    const [agent, origin] = [new Agent(), roundRobin(originsOf(ports))];
    return async () => readJson(await fetch(`${origin()}${path}`, { dispatcher: agent }));
  },
  'fetch: @sd/undici': async (ports) => {
    const agent = await sd(ports);
    return async () => readJson(await fetch(`http://orders${path}`, { dispatcher: agent }));
  },
} as const satisfies Record<string, (ports: readonly number[]) => Contestant | Promise<Contestant>>;

export type ContestantName = keyof typeof contestants;

const path = '/items';

/** Everything as it is by default. */
async function sd(
  ports: readonly number[],
  options: Partial<DiscoveryAgentOptions> = {},
): Promise<Dispatcher> {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  for (const port of ports) {
    const instance = createInstance({ service: 'orders', host: '127.0.0.1', port }, Date.now());
    await backend.register(instance, { ttl: 600_000 });
  }
  return new DiscoveryAgent({ discovery: new DiscoveryClient({ backend }), ...options });
}

function byRequest(next: () => Dispatcher): Contestant {
  return async () => readAll(await next().request({ path, method: 'GET' }));
}

async function readAll({ body, statusCode }: Dispatcher.ResponseData): Promise<unknown> {
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  return body.json();
}

async function readJson(response: { readonly status: number; json(): Promise<unknown> }): Promise<unknown> {
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

const originsOf = (ports: readonly number[]): string[] => ports.map((port) => `http://127.0.0.1:${port}`);
const poolsOf = (ports: readonly number[]): Pool[] => originsOf(ports).map((origin) => new Pool(origin));
const always =
  <T>(value: T): (() => T) =>
  () =>
    value;
