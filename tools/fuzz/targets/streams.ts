import { dns } from '../streams/stores/dns.ts';
import { consul } from '../streams/stores/consul.ts';
import { etcd } from '../streams/stores/etcd.ts';
import { redis } from '../streams/stores/redis.ts';
import { zookeeper } from '../streams/stores/zookeeper.ts';
import { streamTarget } from '../streams/stream-target.ts';

/** Recorded streams of each store. */
export const streams = [redis, zookeeper, etcd, consul, dns].map(streamTarget);
