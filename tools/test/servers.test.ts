import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  externalRedisUrl,
  findRedisServer,
  RedisCluster,
  RedisSentinel,
  redisServers,
  RedisServer,
  requireServer,
  type RedisServerOptions,
  type TestServer,
} from '../servers/index.ts';
import { root } from '../workspace.ts';

const hasRedis = requireServer('redis');

describe.skipIf(!hasRedis)('RedisServer', () => {
  let server: TestServer | undefined;

  afterEach(() => server?.stop());

  async function start(options?: RedisServerOptions): Promise<RedisServer> {
    const redis = await RedisServer.start(options);
    server = redis;
    return redis;
  }

  it('keeps its data and its port when it is killed and started', async () => {
    const redis = await start();
    const { url } = redis;
    await redis.command('SET', 'a', 'é');
    await redis.kill();
    await expect(redis.command('GET', 'a')).rejects.toThrow('ECONNREFUSED');
    await redis.start();
    expect(await redis.command('GET', 'a')).toBe('é');
    expect(redis.url).toBe(url);
  });

  it('is empty when it is restarted without its data, or is not persistent', async () => {
    const redis = await start();
    await redis.command('SET', 'a', 1);
    await redis.restart({ keepData: false });
    expect(await redis.command('DBSIZE')).toBe(0);
    await redis.stop();

    const volatile = await start({ persistent: false });
    await volatile.command('SET', 'a', 1);
    await volatile.restart({ keepData: true });
    expect(await volatile.command('DBSIZE')).toBe(0);
  });

  it('does not answer while it is frozen', async () => {
    const redis = await start();
    redis.freeze();
    const answer = redis.command('PING');
    expect(await Promise.race([answer, sleep(200, 'nothing')])).toBe('nothing');
    redis.thaw();
    expect(await answer).toBe('PONG');
  });

  it('leaves no process and no folder, frozen or not, and stops twice', async () => {
    const redis = await start();
    redis.freeze();
    await redis.stop();
    await redis.stop();
    expect(isAlive(redis.pid)).toBe(false);
    expect(existsSync(redis.folder)).toBe(false);
  });

  it('has a port of its own', async () => {
    const [one, other] = await Promise.all([RedisServer.start(), RedisServer.start()]);
    expect(one.port).not.toBe(other.port);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('takes a password and arguments', async () => {
    const redis = await start({ password: 'a b', config: ['--maxmemory', '2mb'] });
    expect(redis.url).toBe(`redis://:a%20b@127.0.0.1:${redis.port}`);
    expect(await redis.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '2097152']);
  });

  it('says why it did not start', async () => {
    await expect(start({ config: ['--nonsense', 'x'] })).rejects.toThrow(/ended with code 1[^]*nonsense/);
    await expect(start({ binary: '/no/such/file' })).rejects.toThrow('/no/such/file');
  });

  it('serves TLS to a client that verifies it', async () => {
    const redis = await start({ tls: true });
    expect(redis.url).toMatch(/^rediss:/);
    await expect(handshake(redis, redis.tls?.ca)).resolves.toBe(true);
    await expect(handshake(redis, undefined)).rejects.toThrow('self-signed');
    expect(await redis.command('PING')).toBe('PONG');
  });

  it('serves TLS with an expired certificate', async () => {
    const redis = await start({ tls: 'expired' });
    await expect(handshake(redis, redis.tls?.ca)).rejects.toThrow('expired');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('does not survive the %s of its parent', async (signal) => {
    const program = `
      import { RedisServer } from './tools/servers/index.ts';
      const { pid, folder } = await RedisServer.start();
      console.log(JSON.stringify({ pid, folder }));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      cwd: root,
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid, folder } = JSON.parse(line.toString()) as { pid: number; folder: string };
    parent.kill(signal);
    await once(parent, 'exit');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
    // Nobody is left to remove it after SIGKILL.
    if (signal === 'SIGTERM') expect(existsSync(folder)).toBe(false);
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(hasRedis ? redisServers() : [])('runs $name', async ({ name, binary }) => {
    const redis = await start({ binary });
    const info = await redis.info('server');
    expect(name).toContain((info.get('valkey_version') ?? info.get('redis_version') ?? '?').slice(0, 3));
  });
});

describe.skipIf(!hasRedis)('RedisCluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 30_000);
  afterAll(() => cluster.stop());

  it('gives the slot of a killed master to its replica, which keeps it', async () => {
    const before = await cluster.masterOf('{orders}');
    expect(await before.command('SET', '{orders}', 1)).toBe('OK');
    expect(await before.command('WAIT', 1, 5000)).toBe(1);
    await before.kill();
    await cluster.waitUntilOk();
    const after = await cluster.masterOf('{orders}');
    expect(after).not.toBe(before);
    expect(await after.command('GET', '{orders}')).toBe('1');
    await before.start();
    await cluster.waitUntilOk();
    expect(await cluster.masterOf('{orders}')).toBe(after);
  });

  it('stays a cluster when all its data is lost', async () => {
    const master = await cluster.masterOf('{orders}');
    await master.command('SET', '{orders}', 1);
    await cluster.restart({ keepData: false });
    const again = await cluster.masterOf('{orders}');
    expect(await again.command('GET', '{orders}')).toBeNull();
  });

  it('is another cluster at the same addresses when it was formed anew', async () => {
    const idsOf = () => Promise.all(cluster.nodes.map((node) => node.command('CLUSTER', 'MYID')));
    const before = await idsOf();
    const master = await cluster.masterOf('{orders}');
    await master.command('SET', '{orders}', 1);
    await cluster.formAnew();
    const again = await cluster.masterOf('{orders}');
    expect(await again.command('GET', '{orders}')).toBeNull();
    expect(new Set([...before, ...(await idsOf())]).size).toBe(12);
  });
});

describe.skipIf(!hasRedis)('RedisSentinel', () => {
  let sentinel: RedisSentinel;

  beforeAll(async () => {
    sentinel = await RedisSentinel.start();
  }, 30_000);
  afterAll(() => sentinel.stop());

  it('makes the replica the master when the master is killed, and the old master its replica', async () => {
    const before = await sentinel.master();
    await before.kill();
    await vi.waitFor(async () => expect(await sentinel.master()).not.toBe(before), { timeout: 20_000 });
    await before.start();
    await sentinel.waitUntilOk();
    const after = await sentinel.master();
    expect(after).not.toBe(before);
    expect((await before.info('replication')).get('role')).toBe('slave');
  });

  it('has a master and a replica again after both were down', async () => {
    const master = await sentinel.master();
    await master.command('SET', 'a', 1);
    await sentinel.restart({ keepData: true });
    expect(await (await sentinel.master()).command('GET', 'a')).toBe('1');
    await sentinel.restart({ keepData: false });
    expect(await (await sentinel.master()).command('GET', 'a')).toBeNull();
  });

  it('has the same master while all sentinels are away, and when they are back', async () => {
    const master = await sentinel.master();
    await Promise.all(sentinel.sentinels.map((each) => each.kill()));
    expect(await sentinel.master()).toBe(master);
    await Promise.all(sentinel.sentinels.map((each) => each.start()));
    await sentinel.waitUntilOk();
    expect(await sentinel.master()).toBe(master);
  });
});

describe('the binaries', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('are taken from the variable, then from PATH', () => {
    expect(findRedisServer({ SD_TEST_REDIS_SERVER: '/a/redis', PATH: '' })).toBe('/a/redis');
    vi.stubEnv('SD_TEST_REDIS_URL', 'redis://example:1');
    expect(externalRedisUrl()).toBe('redis://example:1');
  });

  it('are missed with one clear line each, and with a failure only in CI', () => {
    const cache = mkdtempSync(join(tmpdir(), 'sd-servers-'));
    try {
      const install = (CI: string) =>
        spawnSync(process.execPath, ['--import', 'tsx', 'tools/servers/install.ts'], {
          cwd: root,
          encoding: 'utf8',
          env: { PATH: cache, CI, SD_TEST_SERVERS_FOLDER: cache },
        });
      expect(install('')).toMatchObject({ status: 0, stdout: '' });
      expect(install('true')).toMatchObject({ status: 1, stdout: '' });
      const lines = install('').stderr.trim().split('\n');
      expect(lines.map((line) => /^Tests with (\S+) are skipped: .*no apt-get/.exec(line)?.[1])).toEqual([
        'redis-server',
        'etcd',
        'consul',
        'dnsmasq',
        'prometheus',
        'zookeeper',
      ]);
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});

/** Whether a client that trusts this authority alone accepts the server. */
async function handshake({ host, port }: RedisServer, ca: string | undefined): Promise<boolean> {
  const socket = connect({ host, port, ...(ca === undefined ? {} : { ca }) });
  try {
    await once(socket, 'secureConnect');
    return socket.authorized;
  } finally {
    socket.destroy();
  }
}

function isAlive(pid: number): boolean {
  try {
    // A process that has ended but was not waited for yet is a zombie.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
