import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { ClosedError, systemClock, type Clock } from '@sd/core';
import { ProxiedConnection } from './fault-proxy-connection.ts';
import {
  checkFaults,
  checkListening,
  type FaultProxyOptions,
  type FaultProxyTarget,
  type Faults,
} from './fault-proxy-options.ts';
import { HeldPort } from './held-port.ts';

/**
 * A TCP proxy in front of a server, with the faults of a network that a test wants: a client that connects to the proxy
 * instead sees a server that is slow, silent or gone, while the server itself is left alone.
 * It knows nothing of what is said through it.
 */
export class FaultProxy implements AsyncDisposable {
  readonly host: string;
  readonly #target: FaultProxyTarget;
  readonly #clock: Clock;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #passed = { toServer: 0, toClient: 0 };
  #port: number;
  #server: Server | undefined;
  /** While it refuses. */
  #held: HeldPort | undefined;
  #faults: Faults = {};
  #accepted = 0;
  /** Changes of the faults, one after the other. Never rejects. */
  #changes: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Listens, without faults. Connections to the target are made when clients connect, so it need not be up yet. */
  static async listen(target: FaultProxyTarget, options: FaultProxyOptions = {}): Promise<FaultProxy> {
    checkListening(target, options);
    const proxy = new FaultProxy(target, options);
    await proxy.#listen();
    return proxy;
  }

  private constructor(
    target: FaultProxyTarget,
    { host = '127.0.0.1', port = 0, clock = systemClock }: FaultProxyOptions,
  ) {
    this.host = host;
    this.#port = port;
    this.#clock = clock;
    this.#target = { host: target.host, port: target.port };
  }

  /** Stays the same for the life of the proxy. */
  get port(): number {
    return this.#port;
  }

  /** Connections of which one side at least is not closed yet. */
  get open(): number {
    return this.#connections.size;
  }

  /** Connections that clients ever made. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Bytes that ever went on to the target. */
  get bytesToServer(): number {
    return this.#passed.toServer;
  }

  /** Bytes that ever went on to clients. */
  get bytesToClient(): number {
    return this.#passed.toClient;
  }

  /**
   * Puts these faults in the place of those before, for connections that exist as well. Resolves when they are in force.
   * @throws {ConfigValidationError} and changes nothing
   * @throws `EADDRINUSE` if another process took the port while connections were refused
   */
  set(faults: Faults): Promise<void> {
    const change = this.#changes.then(() => this.#apply(faults));
    this.#changes = change.catch(() => undefined);
    return change;
  }

  /** Ends all faults. Bytes that were held go on, in order; clients that connected to a black hole reach the target. */
  heal(): Promise<void> {
    return this.set({});
  }

  /** Resets all connections there are now, on both sides: `ECONNRESET`. New ones are made as before. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Resets all connections and gives up the port. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #apply(faults: Faults): Promise<void> {
    if (this.#closing !== undefined) throw new ClosedError('The fault proxy');
    checkFaults(faults);
    this.#faults = { ...faults };
    for (const connection of this.#connections) connection.set(this.#faults);
    if (faults.refuse !== true) await this.#listen();
    else if (this.#stopListening()) this.#held = await HeldPort.hold(this.host, this.#port);
  }

  /** A server of its own each time: one that was closed while it had connections still waits for their end. */
  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    await this.#release();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    await once(server.listen(this.#port, this.host), 'listening');
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server = server;
  }

  /** The port is free when this returns, though the server closes after its last connection. @returns whether it listened */
  #stopListening(): boolean {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    return server !== undefined;
  }

  async #release(): Promise<void> {
    await this.#held?.release();
    this.#held = undefined;
  }

  #accept(client: Socket): void {
    this.#accepted++;
    const connection = new ProxiedConnection(client, this.#target, this.#clock, this.#passed);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    connection.set(this.#faults);
  }

  async #close(): Promise<void> {
    await this.#changes;
    this.#stopListening();
    await this.#release();
    this.reset();
    await Promise.all([...this.#connections].map(({ closed }) => closed));
  }
}
