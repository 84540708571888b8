import { ConsulBackend } from '@sd/consul';
import { ServiceClient } from '@sd/client';
import { ManualClock, type Clock } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { DnsBackend } from '@sd/dns';
import { EtcdBackend } from '@sd/etcd';
import {
  AdvancedHealthChecker,
  CircuitBreaker,
  commandCheck,
  grpcCheck,
  HealthChecker,
  httpCheck,
  SelfCheck,
  tcpCheck,
  TtlCheck,
} from '@sd/health';
import { KubernetesBackend } from '@sd/kubernetes';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { RedisBackend } from '@sd/redis';
import { ServiceRegistry } from '@sd/registry';
import { silentLogger } from '@sd/testkit';
import { DiscoveryAgent } from '@sd/undici';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { field, parseJson, textOf, typed } from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

/** What users configure. Whatever they give, it works or is a `ConfigValidationError`. */
const makers: Readonly<Record<string, (options: never) => unknown>> = {
  RedisBackend: (options) => new RedisBackend(options),
  ConsulBackend: (options) => new ConsulBackend(options),
  EtcdBackend: (options) => new EtcdBackend(options),
  ZooKeeperBackend: (options) => new ZooKeeperBackend(options),
  KubernetesBackend: (options) => new KubernetesBackend(options),
  DnsBackend: (options) => new DnsBackend(options),
  MemoryBackend: (options) => new MemoryBackend(options),
  ServiceRegistry: (options) => new ServiceRegistry(options),
  DiscoveryClient: (options) => new DiscoveryClient(options),
  DiscoveryAgent: (options) => new DiscoveryAgent(options),
  ServiceClient: (options) => new ServiceClient(options),
  HealthChecker: (options) => new HealthChecker(options),
  AdvancedHealthChecker: (options) => new AdvancedHealthChecker(options),
  SelfCheck: (options) => new SelfCheck(options),
  CircuitBreaker: (options) => new CircuitBreaker(options),
  httpCheck: (options) => httpCheck(options),
  tcpCheck: (options) => tcpCheck(options),
  grpcCheck: (options) => grpcCheck(options),
  commandCheck: (options) => commandCheck(options),
  TtlCheck: (options) => new TtlCheck(options),
};

/** True to life, so that a change of one value is what is wrong with it. */
const given: Readonly<Record<string, object>> = {
  RedisBackend: { redis: 'redis://localhost:1', prefix: 'sd:', timeoutMs: 1_000, logger: '$logger' },
  ConsulBackend: {
    url: 'http://localhost:1',
    token: 'x',
    timeoutMs: 1_000,
    tls: { ca: 'x' },
    logger: '$logger',
  },
  EtcdBackend: {
    hosts: ['http://localhost:1'],
    prefix: '/sd/',
    codec: 'sd',
    auth: { username: 'a', password: 'b' },
  },
  ZooKeeperBackend: {
    servers: 'localhost:1/a',
    root: '/sd',
    codec: 'curator',
    auth: { scheme: 'digest', credentials: 'a:b' },
  },
  KubernetesBackend: { url: 'http://localhost:1', namespace: 'a', port: 'http', ports: { orders: 80 } },
  DnsBackend: {
    name: '{service}.example.com',
    type: 'A',
    port: 80,
    servers: ['127.0.0.1:1'],
    search: ['a.b'],
  },
  MemoryBackend: { store: '$store', clock: '$clock' },
  ServiceRegistry: { backend: '$backend', ttlMs: 1_000, defaults: { host: 'a' }, drain: {}, clock: '$clock' },
  DiscoveryClient: {
    backend: '$backend',
    balancing: {
      subset: { size: 3, client: 'a' },
      slowStart: { windowMs: 1_000 },
      zoneAware: { by: 'load' },
      layers: [],
    },
    outliers: { consecutiveFailures: 5 },
    breaker: { failureRate: 0.5, openMs: 1_000 },
    hedging: { percentile: 0.9, minDelayMs: 5 },
    retryBudget: { ratio: 0.2, perSecond: 10 },
    follow: { coalesceMs: 1, reconnect: { baseMs: 1, capMs: 2 }, shrinkGuard: { share: 0.5 } },
    queue: { limit: 1, maxWaitMs: 1 },
    clock: '$clock',
    rng: '$function',
  },
  DiscoveryAgent: { discovery: '$discovery' },
  ServiceClient: {
    service: 'orders',
    discovery: '$discovery',
    basePath: '/v1',
    headers: { 'x-a': 'b' },
    retries: 2,
    deadlineHeader: 'x-b',
  },
  HealthChecker: { timeoutMs: 1_000, path: '/health', clock: '$clock' },
  AdvancedHealthChecker: {
    timeoutMs: 1_000,
    intervalMs: 1_000,
    jitter: 0.1,
    retries: 1,
    history: 3,
    clock: '$clock',
  },
  SelfCheck: { checks: [{ name: 'a', check: '$function' }], intervalMs: 1_000, clock: '$clock' },
  CircuitBreaker: { service: 'orders', failureRate: 0.5, minimumCalls: 10, openMs: 1_000, clock: '$clock' },
  httpCheck: {
    path: '/a',
    method: 'GET',
    expectedStatus: [[200, 299], 404],
    headers: { a: 'b' },
    expectedBody: 'ok',
  },
  tcpCheck: { port: 80 },
  grpcCheck: { service: 'a', port: 80 },
  commandCheck: { command: 'true', args: ['a'] },
  TtlCheck: { ttlMs: 1_000, clock: '$clock' },
};

export const options: FuzzTarget = {
  name: 'options',
  format: 'json',
  seeds: Object.keys(makers).map((what) => JSON.stringify({ what, options: given[what] ?? {} })),
  words: [
    '$backend',
    '$clock',
    '$logger',
    '$store',
    '$discovery',
    '$signal',
    '$buffer',
    'tls',
    'ca',
    'cert',
    'key',
    'clock',
    'logger',
    'rng',
    'auth',
    'password',
    'timeoutMs',
    ...Object.keys(makers),
  ],
  testRuns: 500,
  async run(input) {
    const asked = parseJson(input);
    const backend = new MemoryBackend({ store: new MemoryStore() });
    const discovery = new DiscoveryClient({ backend, logger: silentLogger });
    const more = new Map<string, () => unknown>([
      ['$backend', () => backend],
      ['$discovery', () => discovery],
      ['$clock', (): Clock => new ManualClock()],
      ['$logger', () => silentLogger],
      ['$store', () => new MemoryStore()],
      ['$signal', () => new AbortController().signal],
      ['$buffer', () => Buffer.from('-----BEGIN ')],
    ]);
    const make = makers[textOf(field(asked, 'what'))];
    // It comes from a user without types.
    const made = make && typed(() => make(revive(field(asked, 'options'), more) as never));
    await closed(made);
    await discovery.close();
    await backend.close();
  },
};

async function closed(made: unknown): Promise<void> {
  if (typeof made !== 'object' || made === null || !('close' in made)) return;
  if (typeof made.close === 'function') await (made.close as () => unknown)();
}
