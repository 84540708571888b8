import { findRedisServer } from './redis-binaries.ts';
import { findConsul, findDnsmasq, findEtcd, findPrometheus, findZooKeeper } from './store-binaries.ts';

/** How each server is found, and what to do where it is not. */
const servers = {
  redis: {
    find: findRedisServer,
    remedy: 'install redis-server 7 or newer, or set SD_TEST_REDIS_SERVER to its path',
  },
  etcd: { find: findEtcd, remedy: 'install etcd 3.4 or newer, or set SD_TEST_ETCD to its path' },
  consul: { find: findConsul, remedy: 'install consul, or set SD_TEST_CONSUL to its path' },
  dnsmasq: { find: findDnsmasq, remedy: 'install dnsmasq-base, or set SD_TEST_DNSMASQ to its path' },
  prometheus: {
    find: findPrometheus,
    remedy: 'install prometheus 2.42 or newer, or set SD_TEST_PROMETHEUS to its path',
  },
  zookeeper: {
    find: findZooKeeper,
    remedy: 'set SD_TEST_ZOOKEEPER to a script that runs ZooKeeper 3.6 or newer with a configuration file',
  },
} as const;

const announced = new Set<string>();

/**
 * Whether tests can have this server; where they cannot it says so once.
 *
 *     describe.skipIf(!requireServer('redis'))('RedisBackend', …)
 *
 * @throws where they cannot and CI is `true`: there a skipped test is a failure
 */
export function requireServer(name: keyof typeof servers): boolean {
  const { find, remedy } = servers[name];
  if (find() !== undefined) return true;
  const message = `Tests with ${name} are skipped: ${remedy}.`;
  if (process.env.CI === 'true') throw new Error(message.replace('are skipped', 'cannot run'));
  if (!announced.has(name)) console.warn(message);
  announced.add(name);
  return false;
}
