import { findBinary } from './binaries.ts';

/** The `etcd` to test with: that of SD_TEST_ETCD (a path), else of PATH, else fetched by install.ts. */
export const findEtcd = (env = process.env): string | undefined =>
  env.SD_TEST_ETCD ?? findBinary('etcd', env.PATH);

/** The `consul` to test with: that of SD_TEST_CONSUL, else of PATH, else fetched. */
export const findConsul = (env = process.env): string | undefined =>
  env.SD_TEST_CONSUL ?? findBinary('consul', env.PATH);

/** A script that runs a ZooKeeper server with a configuration file: that of SD_TEST_ZOOKEEPER, else fetched. */
export const findZooKeeper = (env = process.env): string | undefined =>
  env.SD_TEST_ZOOKEEPER ?? findBinary('zookeeper', '');

/** The `dnsmasq` to test with: that of SD_TEST_DNSMASQ (a path), else of PATH, else fetched by install.ts. */
export const findDnsmasq = (env = process.env): string | undefined =>
  env.SD_TEST_DNSMASQ ?? findBinary('dnsmasq', env.PATH);

/** The `prometheus` to test with: that of SD_TEST_PROMETHEUS (a path), else of PATH, else fetched by install.ts. */
export const findPrometheus = (env = process.env): string | undefined =>
  env.SD_TEST_PROMETHEUS ?? findBinary('prometheus', env.PATH);

export const findJava = (env = process.env): string | undefined => findBinary('java', env.PATH);
