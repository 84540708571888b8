import { Socket } from 'node:net';
import type { Clock, Timer } from '@sd/core';
import type { FaultProxyTarget, Faults } from './fault-proxy-options.ts';

/** A client of the proxy and a connection to the target for it: what happens to one happens to the other. */
export class ProxiedConnection {
  /** When both sides are closed. Never rejects. */
  readonly closed: Promise<unknown>;
  readonly #client: Socket;
  readonly #upstream = new Socket({ allowHalfOpen: true }).setNoDelay();
  readonly #target: FaultProxyTarget;
  readonly #toServer: Flow;
  readonly #toClient: Flow;
  #dialled = false;

  /** @param passed bytes of all connections, which it adds to */
  constructor(
    client: Socket,
    target: FaultProxyTarget,
    clock: Clock,
    passed: { toServer: number; toClient: number },
  ) {
    this.#client = client;
    this.#target = target;
    this.#toServer = new Flow(client, this.#upstream, clock, (bytes) => void (passed.toServer += bytes));
    this.#toClient = new Flow(this.#upstream, client, clock, (bytes) => void (passed.toClient += bytes));
    this.closed = Promise.all([closing(client), closing(this.#upstream)]);
  }

  /** Counts `cutAfterBytes` from now on. */
  set({ latencyMs = 0, bytesPerSecond = Infinity, cutAfterBytes = Infinity, blackHole }: Faults): void {
    if (blackHole === undefined) this.#dial();
    const line = { latencyMs, bytesPerSecond, cutAfterBytes: Infinity };
    this.#toServer.set({ ...line, held: blackHole === 'both' || blackHole === 'to-server' });
    this.#toClient.set({ ...line, held: blackHole === 'both' || blackHole === 'to-client', cutAfterBytes });
  }

  reset(): void {
    reset(this.#client);
    reset(this.#upstream);
  }

  /** Not in a black hole of either direction: a handshake needs both. */
  #dial(): void {
    if (this.#dialled || this.#upstream.destroyed) return;
    this.#dialled = true;
    this.#upstream.connect(this.#target);
  }
}

/** What one direction is like; without a fault 0, Infinity, Infinity and false. */
interface Line {
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
  readonly cutAfterBytes: number;
  readonly held: boolean;
}

/** One direction: what comes from `source` goes on to `sink`, in order, when the line lets it. */
class Flow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #clock: Clock;
  readonly #onPassed: (bytes: number) => void;
  /** What is under way, oldest first. Without bytes it is the end of the source. */
  readonly #underWay: { bytes: Buffer; readonly arrivedMs: number }[] = [];
  #bytesUnderWay = 0;
  #sourceFailed = false;
  #line: Line = { latencyMs: 0, bytesPerSecond: Infinity, cutAfterBytes: Infinity, held: true };
  #leftUntilCut = Infinity;
  /** When the last byte had left for its journey of `latencyMs`. */
  #freeAtMs = -Infinity;
  #timer: Timer | undefined;
  #cutTimer: Timer | undefined;

  constructor(source: Socket, sink: Socket, clock: Clock, onPassed: (bytes: number) => void) {
    this.#source = source;
    this.#sink = sink;
    this.#clock = clock;
    this.#onPassed = onPassed;
    source.on('data', (bytes: Buffer) => this.#arrive(bytes));
    source.on('end', () => this.#arrive(Buffer.alloc(0)));
    source.on('error', () => {
      this.#sourceFailed = true;
      this.#move();
    });
    sink.on('connect', () => this.#move());
    sink.on('close', () => {
      this.#timer?.cancel();
      this.#cutTimer?.cancel();
    });
  }

  set(line: Line): void {
    this.#line = line;
    this.#leftUntilCut = line.cutAfterBytes;
    this.#cutTimer?.cancel();
    this.#cutTimer = undefined;
    this.#move();
  }

  #arrive(bytes: Buffer): void {
    this.#underWay.push({ bytes, arrivedMs: this.#clock.monotonic() });
    this.#bytesUnderWay += bytes.length;
    this.#move();
  }

  /** Whenever anything has changed. */
  #move(): void {
    this.#timer?.cancel();
    if (!this.#line.held) this.#pass();
    if (this.#line.held || this.#bytesUnderWay >= windowBytes) this.#source.pause();
    else this.#source.resume();
  }

  /** Passes on what is due; the rest waits for a timer, for the sink to connect or for it to take what it has. */
  #pass(): void {
    if (this.#sourceFailed) reset(this.#sink);
    while (!this.#sink.pending && this.#sink.writableLength === 0) {
      if (this.#leftUntilCut === 0) {
        this.#cutTimer ??= this.#clock.setTimer(() => this.#cut(), cutDelayMs);
        return;
      }
      const next = this.#underWay[0];
      if (next === undefined) return;
      const { latencyMs, bytesPerSecond } = this.#line;
      const sliceBytes = Math.max(1, Math.floor((bytesPerSecond * sliceMs) / 1_000));
      const size = Math.min(next.bytes.length, sliceBytes, this.#leftUntilCut);
      const nowMs = this.#clock.monotonic();
      // A line that stood still, in a black hole or for a slow reader, does not make up for it.
      const departsMs = Math.max(next.arrivedMs, this.#freeAtMs, nowMs - latencyMs - sliceMs);
      const leftMs = departsMs + (size / bytesPerSecond) * 1_000;
      const waitMs = leftMs + latencyMs - nowMs;
      if (waitMs > 0) {
        this.#timer = this.#clock.setTimer(() => this.#move(), waitMs);
        return;
      }
      this.#freeAtMs = leftMs;
      this.#send(next, size);
    }
  }

  #send(next: { bytes: Buffer }, size: number): void {
    if (next.bytes.length === size) this.#underWay.shift();
    if (size === 0) return void this.#sink.end();
    const slice = next.bytes.subarray(0, size);
    next.bytes = next.bytes.subarray(size);
    this.#bytesUnderWay -= size;
    this.#leftUntilCut -= size;
    this.#onPassed(size);
    this.#sink.write(slice, () => this.#move());
  }

  #cut(): void {
    reset(this.#source);
    reset(this.#sink);
  }
}

/** What a direction takes from its source before the source must wait. */
const windowBytes = 262_144;

/** For the client to read the last bytes: Node takes a reset that comes together with bytes for a normal end. */
const cutDelayMs = 10;

/** How much is passed on at once where there is a bandwidth. */
const sliceMs = 20;

/** RST where there is a connection to reset. Node cannot reset, nor close any more, while it sends an end. */
function reset(socket: Socket): void {
  if (socket.pending) socket.destroy();
  else if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => reset(socket));
  else socket.resetAndDestroy();
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('close', () => resolve()));
}
