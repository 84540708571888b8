/**
 * Writes down anew what real servers say: `npm run fuzz:record`, or with the names of some stores behind `--`.
 */
import { setLogger } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import {
  ConsulDnsServer,
  ConsulServer,
  EtcdServer,
  RedisServer,
  ZooKeeperServer,
} from '../../servers/index.ts';
import { Recorder } from './recorder.ts';
import { writeRecording } from './recording.ts';
import { play, playDns } from './scenario.ts';
import { consul } from './stores/consul.ts';
import { dns } from './stores/dns.ts';
import { etcd } from './stores/etcd.ts';
import { redis } from './stores/redis.ts';
import { zookeeper } from './stores/zookeeper.ts';

setLogger(silentLogger);
const stores = [
  { store: redis, start: () => RedisServer.start({ persistent: false }) },
  { store: zookeeper, start: () => ZooKeeperServer.start() },
  { store: etcd, start: () => EtcdServer.start() },
  { store: consul, start: () => ConsulServer.start({ persistent: false }) },
];
const chosen = process.argv.slice(2);
const isChosen = (name: string): boolean => chosen.length === 0 || chosen.includes(name);

for (const { store, start } of stores) {
  if (!isChosen(store.name)) continue;
  await using server = await start();
  const recorder = await Recorder.start(store.dialect, server);
  const [recorded, stranger] = [store.open(recorder.port), store.open(server.port)];
  write(store.name, recorder, await play({ recorded, stranger, recorder }));
  await Promise.all([recorded.close(), stranger.close()]);
  await recorder.close();
}
if (isChosen(dns.name)) {
  await using server = await ConsulDnsServer.start();
  const recorder = await Recorder.start(dns.dialect, { host: server.host, port: server.dnsPort });
  const recorded = dns.open(recorder.port);
  write(dns.name, recorder, await playDns(recorded, server));
  await recorded.close();
  await recorder.close();
}

function write(name: string, { frames }: Recorder, states: readonly string[]): void {
  writeRecording(name, { states, frames: [...frames] });
  console.log(`${name}: ${frames.length} messages, ${states.length} states`);
}
