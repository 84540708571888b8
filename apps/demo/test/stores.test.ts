import { execFileSync } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '@sd/testkit';
import {
  ConsulServer,
  EtcdServer,
  KubernetesServer,
  RedisServer,
  requireServer,
  ZooKeeperServer,
  type TestServer,
} from '../../../tools/servers/index.ts';
import { DemoProcess } from './demo-process.ts';

/** Far more than it takes, as others may be at work on this machine. */
const timeout = 120_000;

interface Store {
  readonly name: 'redis' | 'consul' | 'etcd' | 'zookeeper';
  readonly scheme: string;
  readonly start: () => Promise<TestServer & { readonly host: string; readonly port: number }>;
}

const stores: readonly Store[] = [
  { name: 'redis', scheme: 'redis', start: () => RedisServer.start() },
  { name: 'consul', scheme: 'consul', start: () => ConsulServer.start() },
  { name: 'etcd', scheme: 'etcd', start: () => EtcdServer.start() },
  { name: 'zookeeper', scheme: 'zk', start: () => ZooKeeperServer.start() },
];

describe.each(stores)('the demo in processes that meet in $name', ({ name, scheme, start }) => {
  it.skipIf(!requireServer(name))(
    'keeps its promises while the store is killed and comes back empty',
    { timeout },
    async () => {
      const server = await start();
      onTestFinished(() => server.stop());
      const url = `${scheme}://${server.host}:${server.port}`;
      const demo = new DemoProcess('--backend', url, '--seconds', '12', '--rate', '30');
      await demo.printed('payments-1 is killed');
      await server.restart({ keepData: false });
      await demo.printed('roll-out: 4 orders 2.0.0 have started');
      await server.restart({ keepData: false });

      const { code, stdout, stderr } = await demo.ended;
      expect(code, stdout + stderr).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^ {2}calls .*, 0 failed$/m);
      expect(stdout).toMatch(/^ {2}store +lost 2 times/m);
      expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
    },
  );
});

describe('the demo in processes that meet in Kubernetes', () => {
  it(
    'keeps its promises while endpoints come, are not ready, terminate and go, and the API server is killed',
    { timeout },
    async () => {
      const server = await KubernetesServer.start();
      onTestFinished(() => server.stop());
      const url = `k8s://:${server.adminToken}@${server.host}:${server.port}/shop`;
      const demo = new DemoProcess('--backend', url, '--seconds', '12', '--rate', '30');
      await demo.printed('payments-1 has left all views');
      await server.restart({ keepData: true });

      const { code, stdout, stderr } = await demo.ended;
      expect(code, stdout + stderr).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^ {2}calls .*, 0 failed$/m);
      expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
      const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
      expect(await server.command('GET', slices)).toMatchObject({ items: [] });
    },
  );
});

describe.skipIf(!requireServer('redis'))('the demo in processes', () => {
  it('leaves none behind, even when it is killed itself', { timeout }, async () => {
    const server = await RedisServer.start();
    onTestFinished(() => server.stop());
    const demo = new DemoProcess('--backend', server.url);
    await demo.printed('customers begin to buy');
    const processes = childrenOf(demo.pid);
    expect(processes).toHaveLength(14);
    demo.kill('SIGKILL');
    await demo.ended;
    await eventually(() => expect(processes.filter(isAlive)).toEqual([]));
  });
});

function childrenOf(parent: number): readonly number[] {
  const table = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' });
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/).map(Number));
  return rows.flatMap(([ppid, pid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
