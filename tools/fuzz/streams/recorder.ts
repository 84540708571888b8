import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Dialect } from './dialect.ts';
import type { Frame } from './recording.ts';
import { Transcript } from './transcript.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Stands between a backend and a real server, and writes down what the server says. */
export class Recorder {
  readonly #transcript: Transcript;
  readonly #target: Place;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(dialect: Dialect, target: Place): Promise<Recorder> {
    const isHttp2 = dialect.isHttp2 === true;
    const recorder = new Recorder(dialect, isHttp2 ? createHttp2Server() : createServer(), target);
    recorder.#server.listen(0, '127.0.0.1');
    await once(recorder.#server, 'listening');
    return recorder;
  }

  private constructor(dialect: Dialect, server: Server, target: Place) {
    this.#transcript = new Transcript(dialect);
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    if (dialect.isHttp2 === true) this.#relayStreams();
    else server.on('connection', (socket) => this.#relay(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get frames(): readonly Frame[] {
    return this.#transcript.frames;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #relay(client: Socket): void {
    const server = connect(this.#target);
    const conversation = this.#transcript.conversation();
    client.on('data', (chunk) => {
      conversation.asked(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      conversation.said(chunk);
      client.write(chunk);
    });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
  }

  #relayStreams(): void {
    const { host, port } = this.#target;
    this.#server.on('session', (session: Http2Session) => {
      const server = connectHttp2(`http://${host}:${port}`);
      server.on('error', () => undefined);
      session.on('close', () => server.destroy());
      session.on('stream', (client: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        const conversation = this.#transcript.conversation(headers[':path']);
        const request = server.request(headers);
        let trailers: IncomingHttpHeaders = {};
        request.on('response', ({ ':status': status, ...head }) =>
          client.respond({ ':status': status, ...head }, { waitForTrailers: true }),
        );
        request.on('trailers', (last: IncomingHttpHeaders) => (trailers = last));
        client.on('wantTrailers', () => client.sendTrailers(trailers));
        client.on('data', (chunk: Buffer) => {
          conversation.asked(chunk);
          request.write(chunk);
        });
        request.on('data', (chunk: Buffer) => {
          conversation.said(chunk);
          client.write(chunk);
        });
        client.on('end', () => request.end());
        request.on('end', () => client.end());
        client.on('error', () => undefined).on('close', () => request.close());
        request.on('error', () => client.close());
      });
    });
  }
}
