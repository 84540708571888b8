import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisedOutput } from '../docs/blocks.ts';
import {
  ConsulServer,
  DnsServer,
  EtcdServer,
  KubernetesServer,
  RedisServer,
  requireServer,
  ZooKeeperServer,
} from '../servers/index.ts';
import type { Consumer } from './consumer.ts';

/** Ten lines as they run here, and the servers that they need. */
export interface Stage {
  /** That of the README, with the addresses of servers that run here. */
  readonly code: string;
  readonly prints: readonly string[];
  /** They end when they are stopped, as they are part of a service. */
  readonly serves: boolean;
  /** The arguments of Node. Default: the file. */
  readonly command?: (file: string) => readonly string[];
  close(): Promise<void>;
}

/** What the README of a package takes for granted beside its line of `npm install`. */
export const besides: Readonly<Record<string, readonly string[]>> = {
  '@sd/nestjs': ['@nestjs/platform-express'], // every Nest app has one
  '@sd/testkit': ['@sd/memory'], // “your backend”
};

/** @returns the reason where it cannot be set here */
export async function openStage(name: string, consumer: Consumer): Promise<Stage | string> {
  const special = stages[name];
  if (special !== undefined) return special(consumer);
  const { block } = consumer;
  if (block.info === 'compile-only')
    return 'its first block is marked compile-only, and nothing sets its stage';
  return { code: block.code, prints: promisedOutput(block), serves: false, close: async () => undefined };
}

const stages: Readonly<Record<string, (consumer: Consumer) => Promise<Stage | string>>> = {
  '@sd/redis': (consumer) =>
    onServer(
      'redis',
      () => RedisServer.start(),
      consumer,
      (server) => ['redis://localhost:6379', server.url],
    ),
  '@sd/etcd': (consumer) =>
    onServer(
      'etcd',
      () => EtcdServer.start(),
      consumer,
      (server) => ['http://localhost:2379', server.url],
    ),
  '@sd/consul': (consumer) =>
    onServer(
      'consul',
      () => ConsulServer.start(),
      consumer,
      (server) => ['http://127.0.0.1:8500', server.url],
    ),
  '@sd/zookeeper': (consumer) =>
    onServer(
      'zookeeper',
      () => ZooKeeperServer.start(),
      consumer,
      (server) => ['zk1:2181,zk2:2181,zk3:2181', `${server.host}:${server.port}`],
    ),
  '@sd/dns': onDns,
  '@sd/kubernetes': onKubernetes,
  '@sd/testkit': async ({ block, folder }) => ({
    code: block.code,
    prints: [' passed'],
    serves: false,
    command: (file) => {
      const test = join(folder, 'ten-lines.test.js');
      writeFileSync(test, `import ${JSON.stringify(file)};\n`);
      return [join(folder, 'node_modules/vitest/vitest.mjs'), 'run', '--no-color', test];
    },
    close: async () => undefined,
  }),
};

/** A provider and a consumer that meet in a store. */
async function onServer<S extends { stop(): Promise<void> }>(
  kind: Parameters<typeof requireServer>[0],
  start: () => Promise<S>,
  { block }: Consumer,
  address: (server: S) => readonly [inReadme: string, here: string],
): Promise<Stage | string> {
  if (!requireServer(kind)) return `there is no ${kind} here`;
  const server = await start();
  const here = replaced(block.code, ...address(server));
  const code = replaced(here, '.listen(8080);', ".listen(0, '127.0.0.1');" + waitForServer);
  return { code, prints: ['two apples'], serves: true, close: () => server.stop() };
}

/** Without a host a server listens at once, and on every interface. */
const waitForServer = " await new Promise((resolve) => server.once('listening', resolve));";

async function onDns({ block }: Consumer): Promise<Stage> {
  const [dns, { server, port }] = await Promise.all([DnsServer.start(), serveApples()]);
  const domain = 'default.svc.cluster.local';
  dns.set(`_http._tcp.orders.${domain}`, 'SRV', { data: { target: `pod.${domain}`, port } });
  dns.set(`pod.${domain}`, 'A', { data: '127.0.0.1' });
  const code = replaced(block.code, "cluster.local.' }", `cluster.local.', servers: ['${dns.address}'] }`);
  return { code, prints: ['two apples'], serves: true, close: () => closeAll(server, () => dns.close()) };
}

/** As with `kubectl proxy`: a kubeconfig would take a package more, and a service account a pod. */
async function onKubernetes({ block }: Consumer): Promise<Stage> {
  const [api, { server, port }] = await Promise.all([KubernetesServer.start(), serveApples()]);
  await api.command('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'orders-1', labels: { 'kubernetes.io/service-name': 'orders' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  });
  const options = `{ url: '${api.url}', token: '${api.readerToken}' }`;
  const code = replaced(block.code, 'new KubernetesBackend()', `new KubernetesBackend(${options})`);
  return { code, prints: ['two apples'], serves: true, close: () => closeAll(server, () => api.stop()) };
}

async function serveApples(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((_request, response) => response.end('two apples'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

async function closeAll(server: Server, other: () => Promise<void>): Promise<void> {
  server.closeAllConnections();
  server.close();
  await other();
}

/** @throws when the README says something else by now */
function replaced(code: string, inReadme: string, here: string): string {
  if (!code.includes(inReadme)) throw new Error(`The ten lines have no ${inReadme} any more:\n${code}`);
  return code.replace(inReadme, here);
}
