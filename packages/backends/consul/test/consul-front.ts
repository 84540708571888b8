import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Where the index of clients begins: it can go back from there. */
const firstOffset = 1_000_000_000;

/**
 * A reverse proxy before Consul that counts requests, closes connections, and answers with another index than Consul,
 * as one would that was restored from a snapshot.
 */
export class ConsulFront {
  readonly host = '127.0.0.1';
  readonly #target: { readonly host: string; readonly port: number };
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing));
  readonly #sockets = new Set<Socket>();
  #requests = 0;
  #registrations = 0;
  #offset = firstOffset;
  #hidesIndex = false;

  static async listen(target: { readonly host: string; readonly port: number }): Promise<ConsulFront> {
    const front = new ConsulFront(target);
    await once(front.#server.listen(0, front.host), 'listening');
    return front;
  }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get requests(): number {
    return this.#requests;
  }

  get registrations(): number {
    return this.#registrations;
  }

  /** Those that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  move(where: 'back' | 'ahead'): void {
    this.#offset += where === 'back' ? -1_000_000 : 1_000_000;
  }

  hideIndex(): void {
    this.#hidesIndex = true;
    // What waits for a change would not notice before there is one.
    this.reset();
  }

  /** Closes all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.reset();
    this.#agent.destroy();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.#requests += 1;
    const { method, headers, url = '/' } = incoming;
    if (url.includes('/agent/service/register')) this.#registrations += 1;
    const path = url.replace(/([?&]index=)(\d+)/, (_, name: string, index: string) => {
      return `${name}${Math.max(1, Number(index) - this.#offset)}`;
    });
    const upstream = request({ ...this.#target, agent: this.#agent, method, headers, path }, (answer) => {
      const { 'x-consul-index': index, ...rest } = answer.headers;
      const ours = index === undefined || this.#hidesIndex ? undefined : Number(index) + this.#offset;
      outgoing.writeHead(answer.statusCode ?? 502, {
        ...rest,
        ...(ours === undefined ? {} : { 'x-consul-index': String(ours) }),
      });
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }
}
