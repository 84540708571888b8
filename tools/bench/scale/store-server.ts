import { readFileSync } from 'node:fs';
import { EtcdServer, RedisServer } from '../../servers/index.ts';
import type { StoreName } from './stores.ts';

/** A store, and what its clients cost it. */
export interface StoreServer extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  /** Requests so far. */
  requests(): Promise<number>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startStore(store: StoreName): Promise<StoreServer> {
  return store === 'redis' ? startRedis() : startEtcd();
}

/** CPU time that a process has taken so far, in milliseconds. */
export function cpuMsOf(pid: number): number {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(afterName[11]) + Number(afterName[12])) * msPerTick;
}

/** Of Linux, on all machines that Node has binaries for. */
const msPerTick = 10;

/** Memory that a process takes, in MB. */
export function rssMbOf(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return (pages * 4_096) / 1e6;
}

async function startRedis(): Promise<StoreServer> {
  const server = await RedisServer.start({ persistent: true });
  return storeServer(server, async () =>
    Number((await server.info('stats')).get('total_commands_processed')),
  );
}

async function startEtcd(): Promise<StoreServer> {
  const server = await EtcdServer.start();
  return storeServer(server, () => server.metric('grpc_server_msg_received_total'));
}

function storeServer(server: RedisServer | EtcdServer, requests: () => Promise<number>): StoreServer {
  return {
    get pid() {
      return server.pid; // another one after each start
    },
    url: server.url,
    requests,
    kill: () => server.kill(),
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
