import { createInstance, systemClock, type ServiceInstance } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { ZooKeeperServer } from '../../../../tools/servers/index.ts';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { Connection } from '../src/protocol/connection.ts';
import { newSession } from '../src/protocol/handshake.ts';
import { permissions } from '../src/protocol/requests.ts';

export const openAcl = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];

/** A server, and clients of it that are gone with it. */
export class Stage implements AsyncDisposable {
  readonly server: ZooKeeperServer;
  readonly #clients: { close(): unknown }[] = [];

  static async open(): Promise<Stage> {
    return new Stage(await ZooKeeperServer.start());
  }

  private constructor(server: ZooKeeperServer) {
    this.server = server;
  }

  backend(at: { readonly host: string; readonly port: number } = this.server): ZooKeeperBackend {
    const connectionString = `${at.host}:${at.port}`;
    const backend = new ZooKeeperBackend({ connectionString, logger: silentLogger });
    this.#clients.push(backend);
    return backend;
  }

  /** Our protocol client alone: there is no other that is maintained to compare with. */
  async raw(): Promise<Connection> {
    const { host, port } = this.server;
    const limits = { sessionTimeoutMs: 30_000, connectTimeoutMs: 5_000, silenceMs: 10_000 };
    const options = { host, port, session: newSession(), clock: systemClock, ...limits };
    const connection = await Connection.open(options, new AbortController().signal);
    this.#clients.push(connection);
    return connection;
  }

  /** Requests of clients so far, pings among them. */
  async received(): Promise<number> {
    return Number(/^Received: (\d+)/m.exec(await this.server.ask('srvr'))?.[1]);
  }

  async connections(): Promise<number> {
    return [...(await this.server.ask('cons')).matchAll(/sid=0x[1-9a-f]/g)].length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.server.stop();
  }
}

export function instance(n: number, service = 'orders'): ServiceInstance {
  const init = {
    service,
    id: `${service}-${n}`,
    host: `10.0.${n >> 8}.${n & 255}`,
    port: 8080,
    version: '1.2.3',
  };
  return createInstance({ ...init, metadata: { filler: 'x'.repeat(60) } }, 1_767_225_600_000);
}
