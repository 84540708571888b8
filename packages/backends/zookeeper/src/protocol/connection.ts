import type { Clock, Timer, TlsOptions } from '@sd/core';
import { ConnectError } from './connect-error.ts';
import { Frames } from './frames.ts';
import {
  authFrame,
  authXid,
  connectFrame,
  readConnectResponse,
  type Auth,
  type SessionState,
  isDoubtful,
} from './handshake.ts';
import { JuteReader, JuteWriter, ProtocolError } from './jute.ts';
import { closeSession, ops, type Request } from './requests.ts';
import { openSocket, type Link } from './socket.ts';
import { ZooKeeperError } from './zookeeper-error.ts';

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions | undefined;
  readonly auth?: Auth | undefined;
  /** Of a session that is continued, or begins; brought up to date by what the server says. */
  readonly session: SessionState;
  /** What the session shall live on without us, in milliseconds; the server decides. */
  readonly sessionTimeoutMs: number;
  /** What it may take to connect, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** What an answer may take, and how long the server may say nothing, in milliseconds. */
  readonly silenceMs: number;
  readonly clock: Clock;
}

export interface ConnectionListener {
  /** A change of a node that is watched. */
  onEvent(path: string): void;
  /** Once; not after `close()`. */
  onLost(error: Error): void;
}

interface Pending {
  readonly xid: number;
  readonly request: Request<unknown>;
  readonly sentAt: number;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

const unimplemented = -6;
const xids = { event: -1, ping: -2 } as const;
const ping = new JuteWriter().int(xids.ping).int(ops.ping).frame();

/**
 * One connection to one server, with a session. Answers come in the order of the requests. It ends, for good, when
 * either side closes it, when the server is silent for too long, or says what is not the protocol.
 */
export class Connection {
  readonly #link: Link;
  readonly #options: ConnectionOptions;
  readonly #frames = new Frames();
  readonly #pending: Pending[] = [];
  #answered = 0;
  #answeredAt = -Infinity;
  #listener: ConnectionListener | undefined;
  /** Of the answer to our greeting, and to our credentials. */
  #greeting: { resolve(): void; reject(error: Error): void } | undefined;
  #state: 'connecting' | 'authenticating' | 'open' | 'closed' = 'connecting';
  #end = new Error('the connection is closed');
  #xid = 0;
  #tickMs: number;
  #tick: Timer | undefined;
  #heardAt: number;
  /** When the last whole frame had come. */
  #spokenAt = -Infinity;
  /** When the server was last asked for a sign of life. */
  #pingedAt = Infinity;
  #isCorked = false;
  #sessionTimeoutMs = 0;

  /** @throws {ConnectError} */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const link = await openSocket(options, signal);
    const connection = new Connection(link, options);
    await connection.#greet(link.deadline, signal);
    return connection;
  }

  private constructor(link: Link, options: ConnectionOptions) {
    this.#link = link;
    this.#options = options;
    this.#tickMs = options.silenceMs / 2;
    this.#heardAt = options.clock.monotonic();
    const { socket } = link;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(new Error('the server closed the connection')));
  }

  /** As the server has decided. */
  get sessionTimeoutMs(): number {
    return this.#sessionTimeoutMs;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether an answer has come within half of the time that one may take. */
  get isAnswering(): boolean {
    const { clock, silenceMs } = this.#options;
    return this.isOpen && clock.monotonic() - this.#answeredAt < silenceMs / 2;
  }

  listen(listener: ConnectionListener): void {
    this.#listener = listener;
  }

  /** @throws {ZooKeeperError} what the server answered; any other error: the connection is over, nobody knows what became of it */
  send<R>(request: Request<R>): Promise<R> {
    if (this.#state !== 'open') return Promise.reject(this.#end);
    const xid = (this.#xid = (this.#xid % 0x7fff_ffff) + 1);
    const out = new JuteWriter().int(xid).int(request.op);
    request.write(out);
    this.#write(out.frame());
    return new Promise<R>((resolve, reject) => {
      const sentAt = this.#options.clock.monotonic();
      // What `read` of this request made is what its `resolve` takes.
      this.#pending.push({ xid, request, sentAt, resolve: (answer) => resolve(answer as R), reject });
    });
  }

  /** @param options `endSession`: what the session holds ends with it, at once */
  close({ endSession = false } = {}): void {
    if (this.#state === 'closed') return;
    this.#stop(new Error('the connection was closed'));
    const { socket } = this.#link;
    if (!endSession) return void socket.destroy();
    const bye = new JuteWriter().int(this.#xid + 1).int(closeSession.op);
    socket.end(bye.frame(), () => socket.destroy()).unref();
  }

  #greet(deadline: number, signal: AbortSignal): Promise<void> {
    const { clock, session, sessionTimeoutMs, auth, host, port } = this.#options;
    return new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.#greeting = undefined;
        timer.cancel();
        signal.removeEventListener('abort', abort);
      };
      const fail = (error: Error): void => {
        end();
        this.#stop(error);
        this.#link.socket.destroy();
        reject(error);
      };
      const abort = (): void => fail(new ConnectError('unreachable', 'given up'));
      const timer = clock.setTimer(
        () => fail(new ConnectError('unreachable', `${host}:${port} says nothing`)),
        Math.max(0, deadline - clock.monotonic()),
      );
      signal.addEventListener('abort', abort, { once: true });
      this.#greeting = {
        resolve: () => {
          end();
          resolve();
        },
        reject: fail,
      };
      this.#write(connectFrame(session, sessionTimeoutMs));
      if (auth !== undefined) this.#write(authFrame(auth));
    });
  }

  /** Many small requests of one turn become one packet. */
  #write(frame: Buffer): void {
    const { socket } = this.#link;
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      setImmediate(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(frame);
  }

  #receive(chunk: Buffer): void {
    this.#heardAt = this.#options.clock.monotonic();
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#state === 'closed') return;
        this.#spokenAt = this.#heardAt;
        this.#accept(new JuteReader(frame));
      }
    } catch (error) {
      this.#lose(error instanceof Error ? error : new ProtocolError(String(error)));
    }
  }

  #accept(answer: JuteReader): void {
    if (this.#state === 'connecting') return this.#welcome(answer);
    const xid = answer.int();
    const zxid = answer.long();
    const error = answer.int();
    const { session } = this.#options;
    if (zxid > session.lastZxid) session.lastZxid = zxid;
    if (xid === xids.ping) return;
    if (xid === xids.event) {
      answer.int(); // which kind of change: whoever watches reads anew
      answer.int();
      this.#listener?.onEvent(answer.text());
    } else if (xid === authXid) this.#authenticated(error);
    else this.#answer(xid, error, answer);
  }

  #welcome(answer: JuteReader): void {
    const { session, auth, clock, silenceMs } = this.#options;
    const welcome = readConnectResponse(answer);
    if (welcome === undefined) {
      this.#greeting?.reject(new ConnectError('expired', 'the session has expired'));
      return;
    }
    if (isDoubtful(session)) session.lastZxid = 0n;
    session.refusals = 0;
    session.id = welcome.id;
    session.password = welcome.password;
    this.#sessionTimeoutMs = welcome.timeoutMs;
    this.#tickMs = Math.min(silenceMs / 2, welcome.timeoutMs / 3);
    this.#tick = clock.setTimer(() => this.#onTick(), this.#tickMs);
    this.#state = 'authenticating';
    if (auth === undefined) this.#authenticated(0);
  }

  #authenticated(error: number): void {
    if (error !== 0) {
      const problem = `wrong credentials for scheme "${this.#options.auth?.scheme}", or a scheme that is not known`;
      return this.#lose(new ConnectError('denied', problem));
    }
    if (this.#state !== 'authenticating') return;
    this.#state = 'open';
    this.#greeting?.resolve();
  }

  #answer(xid: number, error: number, answer: JuteReader): void {
    const pending = this.#pending[this.#answered];
    if (pending?.xid !== xid && error === unimplemented && this.#skip(xid)) return;
    if (pending?.xid !== xid) throw new ProtocolError(`an answer to request ${xid} came out of turn`);
    this.#answered += 1;
    this.#answeredAt = this.#heardAt;
    // Cutting one off the front of a long array for each answer would cost the square of their number.
    if (this.#answered >= 64 && this.#answered * 2 >= this.#pending.length) {
      this.#pending.splice(0, this.#answered);
      this.#answered = 0;
    }
    if (error !== 0) return pending.reject(new ZooKeeperError(error, pending.request));
    try {
      pending.resolve(pending.request.read(answer));
    } catch (failure) {
      pending.reject(failure);
      if (failure instanceof ProtocolError) throw failure;
    }
  }

  /** What a server does not know it refuses at once, before it has answered what came before, and hangs up. */
  #skip(xid: number): boolean {
    const index = this.#pending.findIndex((each, at) => at >= this.#answered && each.xid === xid);
    const [pending] = index === -1 ? [] : this.#pending.splice(index, 1);
    pending?.reject(new ZooKeeperError(unimplemented, pending.request));
    return pending !== undefined;
  }

  /** Whoever does not answer is lost; a process that stood still itself first reads what came meanwhile. */
  #onTick(isLate = false): void {
    const { clock, silenceMs } = this.#options;
    const now = clock.monotonic();
    const oldest = this.#pending[this.#answered];
    // Bytes are a sign of life while an answer is due that may be long. Else they are lost in a frame that has no end.
    const aliveAt = oldest === undefined ? this.#spokenAt : this.#heardAt;
    const isSilent = aliveAt < this.#pingedAt && this.#pingedAt !== Infinity;
    // Of a thousand requests that were sent at once the last may wait, as long as the others are answered.
    const isOverdue = oldest !== undefined && now - Math.max(oldest.sentAt, this.#answeredAt) >= silenceMs;
    if (!isSilent && !isOverdue) {
      this.#pingedAt = now;
      this.#write(ping);
      this.#tick = clock.setTimer(() => this.#onTick(), this.#tickMs);
    } else if (!isLate) {
      this.#tick = clock.setTimer(() => this.#onTick(true), this.#tickMs / 10);
    } else {
      const what = isSilent ? `no sign of life for ${Math.round(now - aliveAt)} ms` : `no answer`;
      this.#lose(new Error(`${what} within ${silenceMs} ms`));
    }
  }

  #lose(error: Error): void {
    if (this.#state === 'closed') return;
    const greeting = this.#greeting;
    if (greeting !== undefined) return greeting.reject(this.#notWelcome(error));
    this.#stop(error);
    this.#link.socket.destroy();
    this.#listener?.onLost(error);
  }

  #notWelcome(error: Error): ConnectError {
    if (error instanceof ConnectError) return error;
    const { host, port, tls } = this.#options;
    if (error instanceof ProtocolError)
      return new ConnectError('unreachable', `${host}:${port}: ${error.message}`, error);
    const guess = tls === undefined ? 'does it want TLS, ' : '';
    const problem = `${host}:${port} closed the connection at once; ${guess}has it no leader, as many connections as it takes (maxClientCnxns), or is it behind what was seen?`;
    return new ConnectError('refused', problem, error);
  }

  #stop(error: Error): void {
    this.#state = 'closed';
    this.#end = error;
    this.#tick?.cancel();
    const pending = this.#pending.splice(0).slice(this.#answered);
    this.#answered = 0;
    for (const request of pending) request.reject(error);
  }
}
