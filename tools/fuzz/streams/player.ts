import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Channel, Traffic } from './channel.ts';
import { Messages, type Dialect } from './dialect.ts';
import { sinkOfSocket, sinkOfStream, type Sink } from './sink.ts';
import { truth, type Plan } from './plan.ts';
import type { Frame, Recording } from './recording.ts';

/**
 * A server that says what was recorded: to each request what was the answer to that request, the last one for ever, and
 * unasked what came unasked. A plan decides what becomes of it on its way.
 *
 * Of HTTP/2 only the messages of gRPC are those of the recording, cut into frames by pieces: what is below is read by
 * Node, and numbers and compresses by what was said before.
 */
export class Player {
  readonly traffic: Traffic;
  /** What was asked for and is in no recording. */
  readonly unknown = new Set<string>();
  readonly #recording: Recording;
  readonly #dialect: Dialect;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** By the number of the connection in the recording: where its frames go now. */
  #places = new Map<number, Channel>();
  #plan = truth;
  #asked = new Map<string, number>();
  #pushes: number[] = [];
  #isAway = false;

  static async start(recording: Recording, dialect: Dialect): Promise<Player> {
    const server = dialect.isHttp2 === true ? createHttp2Server() : createServer({ noDelay: true });
    const player = new Player(recording, dialect, server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return player;
  }

  private constructor(recording: Recording, dialect: Dialect, server: Server) {
    this.#recording = recording;
    this.#dialect = dialect;
    this.#server = server;
    // grpc-js sets timers of no time.
    this.traffic = new Traffic(dialect.isHttp2 === true ? 4 : 0);
    server.on('connection', (socket) => this.#admit(socket));
    if (dialect.isHttp2 !== true) return;
    server.on('sessionError', () => undefined);
    server.on('stream', (stream: ServerHttp2Stream, { ':path': path = '' }: IncomingHttpHeaders) => {
      stream.on('error', () => undefined);
      this.#serve(stream, sinkOfStream(stream), path);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From the beginning. */
  play(plan: Plan): void {
    this.#plan = plan;
    this.#isAway = false;
    this.#places = new Map();
    this.#asked = new Map();
    this.unknown.clear();
    this.#pushes = this.#recording.frames.flatMap(({ to }, index) => (to === undefined ? [index] : []));
  }

  /** What comes unasked comes when all questions are answered, one after the other. */
  async playOut(): Promise<void> {
    await this.traffic.quiet();
    for (let index = this.#pushes.shift(); index !== undefined; index = this.#pushes.shift()) {
      const channel = this.#places.get(this.#frame(index).connection);
      if (channel !== undefined) this.#send(channel, index, this.#frame(this.#plan.sourceOf(index)).bytes);
      await this.traffic.quiet();
    }
  }

  /** All connections end, and who comes is turned away. */
  async hangUp(): Promise<void> {
    this.#isAway = true;
    for (const socket of this.#sockets) {
      if (this.#plan.resets) socket.resetAndDestroy();
      else socket.destroy();
    }
    await this.traffic.quiet();
  }

  /** @throws when a client leaves a connection open */
  async gone(): Promise<void> {
    await this.traffic.quiet();
    const late = AbortSignal.timeout(2_000);
    const closed = Array.from(this.#sockets, (socket) => once(socket, 'close', { signal: late }));
    await Promise.all(closed).catch(() => {
      throw new Error(`${this.#sockets.size} connections are left open`);
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #admit(socket: Socket): void {
    this.traffic.move();
    socket.on('error', () => undefined);
    if (this.#isAway) return void socket.destroy();
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.traffic.move();
      this.#sockets.delete(socket);
    });
    if (this.#dialect.isHttp2 !== true) this.#serve(socket, sinkOfSocket(socket), '');
  }

  #serve(source: Socket | ServerHttp2Stream, sink: Sink, path: string): void {
    const channel = new Channel(sink, this.traffic, this.#plan.pieces);
    const requests = new Messages(this.#dialect, 'client');
    source.on('data', (chunk: Buffer) => {
      this.traffic.move();
      for (const { message, turn } of requests.push(chunk)) this.#answer(channel, message, { turn, path });
    });
  }

  #answer(
    channel: Channel,
    request: Buffer,
    { turn, path }: { readonly turn: number; readonly path: string },
  ): void {
    const index = this.#next(this.#dialect.keyOf(request, turn, path));
    if (index === undefined) return;
    this.#places.set(this.#frame(index).connection, channel);
    const { bytes } = this.#frame(this.#plan.sourceOf(index));
    this.#send(channel, index, this.#dialect.patched?.(bytes, request, turn) ?? bytes);
    if (this.#dialect.endsWithAnswer?.(path) === true) channel.end('done');
  }

  #next(key: string): number | undefined {
    const answers = this.#recording.frames.flatMap(({ to }, index) => (to === key ? [index] : []));
    const asked = this.#asked.get(key) ?? 0;
    this.#asked.set(key, asked + 1);
    if (answers.length === 0) this.unknown.add(key);
    if (asked >= answers.length && this.#dialect.waits?.(key) === true) return undefined;
    return answers[Math.min(asked, answers.length - 1)];
  }

  #send(channel: Channel, index: number, frame: Buffer): void {
    const { bytes, ends } = this.#plan.passage(index, frame);
    channel.send(bytes);
    if (ends) channel.end(this.#plan.resets ? 'reset' : 'broken');
  }

  /** Plans count on from the last frame to the first. */
  #frame(index: number): Frame {
    const frame = this.#recording.frames[index % this.#recording.frames.length];
    if (frame === undefined) throw new Error('the recording is empty');
    return frame;
  }
}
