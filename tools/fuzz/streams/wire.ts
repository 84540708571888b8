import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Channel, Traffic } from './channel.ts';
import { truth, type Plan } from './plan.ts';
import { sinkOfSocket } from './sink.ts';

/**
 * Stands between a backend and a real server. What either sends at once is a frame to a plan, which is mostly a whole
 * message: those of the server have odd numbers. What clients say is cut and held back and not changed, as that would be
 * what they have asked for.
 */
export class Wire {
  readonly #port: number;
  readonly #server: Server = createServer({ noDelay: true });
  readonly #clients = new Set<Socket>();
  readonly #passed = { client: 0, server: 0 };
  #plan: Plan;
  #isTrue = true;

  /** @param port of the server */
  static async start(port: number, plan: Plan): Promise<Wire> {
    const wire = new Wire(port, plan);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  private constructor(port: number, plan: Plan) {
    this.#port = port;
    this.#plan = plan;
    this.#server.on('connection', (client) => this.#relay(client));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * From now on all is passed on as it is. A lie that reads like the truth is not told from it, however long one waits: if
   * there may have been some, all connections end, and what is read over new ones has to make up for it.
   */
  clean(): void {
    this.#plan = truth;
    if (!this.#isTrue) for (const client of this.#clients) client.destroy();
  }

  /** @throws when a client leaves a connection open */
  async gone(): Promise<void> {
    const late = AbortSignal.timeout(5_000);
    const closed = Array.from(this.#clients, (client) => once(client, 'close', { signal: late }));
    await Promise.all(closed).catch(() => {
      throw new Error(`${this.#clients.size} connections are left open`);
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
    await once(this.#server, 'close');
  }

  #relay(client: Socket): void {
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    const server = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#pass(client, server, 'client');
    this.#pass(server, client, 'server');
  }

  #pass(from: Socket, to: Socket, whose: 'client' | 'server'): void {
    const channel = new Channel(sinkOfSocket(to), new Traffic(0), this.#plan.pieces);
    from.on('data', (chunk: Buffer) => {
      const { bytes, ends, waitMs } = this.#passage(chunk, whose);
      const send = (): void => {
        channel.send(bytes);
        if (ends) channel.end(this.#plan.resets ? 'reset' : 'broken');
        from.resume();
      };
      if (waitMs === 0) return send();
      from.pause();
      setTimeout(send, waitMs);
    });
    from.on('error', () => undefined);
    from.on('close', () => channel.end(from.errored === null ? 'done' : 'reset'));
  }

  #passage(chunk: Buffer, whose: 'client' | 'server') {
    const frame = 2 * this.#passed[whose] + (whose === 'server' ? 1 : 0);
    this.#passed[whose] += 1;
    const passage = this.#plan.passage(frame, chunk);
    if (whose === 'client')
      return { ...passage, bytes: passage.ends ? chunk.subarray(0, passage.bytes.length) : chunk };
    this.#isTrue &&= passage.isTrue;
    return passage;
  }
}
