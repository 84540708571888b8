import { DiscoveryClient, ServiceClient, type DiscoveryClientOptions, type HttpTransport } from '@sd/client';
import { createInstance } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import got from 'got';
import { Agent } from 'node:http';
import { hazel } from './hazel.ts';
import { loadPeer } from '../../../tools/bench/peers.ts';
import { roundRobin } from '../../../tools/bench/round-robin.ts';

/** Something that calls a service of several instances. */
export interface Contestant {
  /** Resolves with the whole answer, if it is a good one. */
  get(path: string): Promise<unknown>;
}

export interface Target {
  /** Of the instances, at 127.0.0.1. */
  readonly ports: readonly number[];
  /** For each attempt; all other options are what each has by default. */
  readonly attemptTimeoutMs: number;
}

export const contestants = {
  sd: (target) => sd(target),
  'sd round-robin': (target) => sd(target, { strategy: 'round-robin' }),
  'sd peak-ewma': (target) => sd(target, { strategy: 'peak-ewma' }),
  'sd with undici': sdWithUndici,
  'sd undici': sdUndici,
  got: gotByHand,
  'undici by hand': undiciByHand,
  'undici BalancedPool': undiciBalancedPool,
  hazel,
} as const satisfies Record<string, (target: Target) => Contestant | Promise<Contestant>>;

export type ContestantName = keyof typeof contestants;

export const ours: readonly ContestantName[] = ['sd', 'sd with undici', 'sd undici'];
export const oursByStrategy: readonly ContestantName[] = ['sd round-robin', 'sd peak-ewma'];
export const inRepository: readonly ContestantName[] = ['got'];
export const peers: readonly ContestantName[] = ['undici by hand', 'undici BalancedPool', 'hazel'];

async function sd(
  { ports, attemptTimeoutMs }: Target,
  options: Partial<DiscoveryClientOptions> = {},
): Promise<Contestant> {
  const discovery = await discover(ports, options);
  const client = new ServiceClient({ service: 'orders', discovery, attemptTimeoutMs });
  return { get: (path) => client.get(path).json() };
}

async function sdWithUndici({ ports, attemptTimeoutMs }: Target): Promise<Contestant> {
  const discovery = await discover(ports);
  const transport = (await loadIntegration()).undiciTransport({ discovery });
  const client = new ServiceClient({ service: 'orders', discovery, attemptTimeoutMs, transport });
  return { get: (path) => client.get(path).json() };
}

async function sdUndici({ ports, attemptTimeoutMs }: Target): Promise<Contestant> {
  const { DiscoveryAgent } = await loadIntegration();
  const agent = new DiscoveryAgent({ discovery: await discover(ports), attemptTimeoutMs });
  return {
    async get(path) {
      const { statusCode, body } = await agent.request({ origin: 'http://orders', path, method: 'GET' });
      if (statusCode === 200) return body.json();
      await body.dump();
      throw Object.assign(new Error(`HTTP ${statusCode}`), { statusCode });
    },
  };
}

interface Integration {
  undiciTransport(options: { readonly discovery: DiscoveryClient }): HttpTransport;
  readonly DiscoveryAgent: new (options: {
    readonly discovery: DiscoveryClient;
    readonly attemptTimeoutMs: number;
  }) => UndiciDispatcher;
}

/** It stands on this package, and not the other way round. */
const integration: string = '@sd/undici';
const loadIntegration = async (): Promise<Integration> => (await import(integration)) as Integration;

/** A dead instance stays published, as it does in a registry for the rest of its time to live. */
async function discover(
  ports: readonly number[],
  options: Partial<DiscoveryClientOptions> = {},
): Promise<DiscoveryClient> {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  for (const port of ports) {
    const instance = createInstance({ service: 'orders', host: '127.0.0.1', port }, Date.now());
    await backend.register(instance, { ttl: 60_000 });
  }
  return new DiscoveryClient({ backend, ...options });
}

/** As one writes it: the next URL for each call. got repeats a call that failed at the same URL. */
function gotByHand({ ports, attemptTimeoutMs }: Target): Contestant {
  const client = got.extend({
    agent: { http: new Agent({ keepAlive: true }) },
    timeout: { request: attemptTimeoutMs },
  });
  const nextOrigin = roundRobin(originsOf(ports));
  return { get: (path) => client.get(`${nextOrigin()}${path}`).json() };
}

interface UndiciDispatcher {
  request(options: { path: string; method: 'GET'; origin?: string; signal?: AbortSignal }): Promise<{
    readonly statusCode: number;
    readonly body: { json(): Promise<unknown>; dump(): Promise<void> };
  }>;
}

function undiciByHand({ ports, attemptTimeoutMs }: Target): Contestant {
  const { Pool } = loadPeer('undici') as { Pool: new (origin: string) => UndiciDispatcher };
  const nextPool = roundRobin(originsOf(ports).map((origin) => new Pool(origin)));
  return { get: (path) => getByUndici(nextPool(), path, attemptTimeoutMs) };
}

function undiciBalancedPool({ ports, attemptTimeoutMs }: Target): Contestant {
  const { BalancedPool } = loadPeer('undici') as {
    BalancedPool: new (origins: readonly string[]) => UndiciDispatcher;
  };
  const pool = new BalancedPool(originsOf(ports));
  return { get: (path) => getByUndici(pool, path, attemptTimeoutMs) };
}

/** With a signal, because undici's own timeouts are up to a second late. */
async function getByUndici(dispatcher: UndiciDispatcher, path: string, timeoutMs: number): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { statusCode, body } = await dispatcher.request({ path, method: 'GET', signal });
  if (statusCode === 200) return body.json();
  await body.dump();
  throw Object.assign(new Error(`HTTP ${statusCode}`), { statusCode });
}

const originsOf = (ports: readonly number[]): string[] => ports.map((port) => `http://127.0.0.1:${port}`);
