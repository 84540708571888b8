import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * Keeps a port that nobody listens on, as the system would give it to the next connection that anybody makes. It is one
 * end of a connection to ourselves: whoever else connects to it is refused.
 */
export class HeldPort {
  readonly #ends: readonly [Socket, Socket];

  private constructor(...ends: readonly [Socket, Socket]) {
    this.#ends = ends;
    for (const end of ends) end.on('error', () => undefined).unref();
  }

  static async hold(host: string, localPort: number): Promise<HeldPort> {
    const server = createServer();
    await once(server.listen(0, host), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const accepted = once(server, 'connection');
      const near = connect({ host, port, localAddress: host, localPort });
      await once(near, 'connect');
      const [far] = (await accepted) as [Socket];
      return new HeldPort(near, far);
    } finally {
      server.close();
    }
  }

  /** The port is free when this has resolved. */
  async release(): Promise<void> {
    await Promise.all(this.#ends.map(reset));
  }
}

/** Nothing is left of it, not even for a while. */
async function reset(end: Socket): Promise<void> {
  if (end.closed) return;
  const closed = once(end, 'close');
  end.resetAndDestroy();
  await closed;
}
