import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ClosedError, ConfigValidationError, ManualClock, sleep, systemClock, type Timer } from '@sd/core';
import { eventually } from '@sd/testkit';
import { FaultProxy } from '../src/fault-proxy.ts';
import type { FaultProxyOptions, FaultProxyTarget } from '../src/fault-proxy-options.ts';

let server: EchoServer;
let proxy: FaultProxy;

beforeEach(async () => {
  server = await EchoServer.start();
  proxy = await proxyTo(server);
});

describe('FaultProxy without faults', () => {
  it('passes bytes unchanged in both directions', async () => {
    const bytes = randomBytes(1_000_000);
    const client = await connectTo(proxy);

    client.send(bytes);
    await client.receives(bytes.length);

    expect(client.received.equals(bytes)).toBe(true);
    expect(server.last.received.equals(bytes)).toBe(true);
  });

  it('stops reading from who sends faster than the other side reads', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last.socket.pause());

    const sent = await sendUntilBlocked(client);
    server.last.socket.resume();

    await server.last.receives(sent);
  });

  it('passes on the end of one direction and leaves the other open', async () => {
    const client = await connectTo(proxy);

    client.socket.end('last words');
    await eventually(() => expect(server.last.ended).toBe(true));
    await client.receives('last words');
    expect(client.ended).toBe(false);

    server.last.socket.end(' and an answer');
    await client.receives('last words and an answer');
    await client.closed;
    expect(client.error).toBeUndefined();
  });

  it('closes the connection to the target when the client closes', async () => {
    const client = await connectTo(proxy);
    client.send('hello');
    await client.receives('hello');

    client.socket.destroy();
    await eventually(() => expect(server.last.ended).toBe(true));
  });

  it('resets the connection to the target when the client resets', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);

    client.socket.resetAndDestroy();
    await server.last.closed;
    expect(server.last.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('closes the client when the target closes', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last.socket.destroy());

    await eventually(() => expect(client.ended).toBe(true));
    expect(client.error).toBeUndefined();
  });

  it('resets the client when the target resets', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last.socket.resetAndDestroy());

    await client.closed;
    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('resets the client when the target refuses', async () => {
    await server.stop();

    const client = await connectTo(proxy);
    await client.closed;

    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('reaches a target that was started again', async () => {
    const before = await connectTo(proxy);
    await eventually(() => server.last);

    await server.stop();
    await before.closed;
    await server.start();
    const after = await connectTo(proxy);
    after.send('again');

    await after.receives('again');
  });

  it('counts the connections that are open, those ever accepted, and bytes each way', async () => {
    const first = await connectTo(proxy);
    const second = await connectTo(proxy);
    first.send('hello');
    await first.receives('hello');
    server.last.send('!');
    await second.receives('!');
    expect(proxy).toMatchObject({ open: 2, accepted: 2, bytesToServer: 5, bytesToClient: 6 });

    first.socket.resetAndDestroy();

    await eventually(() => expect(proxy).toMatchObject({ open: 1, accepted: 2 }));
  });
});

describe('latencyMs', () => {
  it('delays each direction by exactly so much', async () => {
    const clock = new ManualClock();
    const slow = await proxyTo(server, { clock });
    await slow.set({ latencyMs: 100 });
    const client = await connectTo(slow);

    client.send('hello');
    await eventually(() => expect(clock.pendingTimers).toBe(1));
    await clock.advance(99);
    expect(slow.bytesToServer).toBe(0);
    await clock.advance(1);
    expect(slow.bytesToServer).toBe(5);

    await eventually(() => expect(clock.pendingTimers).toBe(1));
    await clock.advance(99);
    expect(slow.bytesToClient).toBe(0);
    await clock.advance(1);
    await client.receives('hello');
  });

  it('delays what is sent later by no more and no less', async () => {
    const clock = new ManualClock();
    const slow = await proxyTo(server, { clock });
    await slow.set({ latencyMs: 100 });
    const client = await connectTo(slow);
    client.send('a');
    await eventually(() => expect(clock.pendingTimers).toBe(1));
    await clock.advance(60);
    client.send('bc');
    await settled();

    await clock.advance(40);
    expect(slow.bytesToServer).toBe(1);
    await clock.advance(60);
    expect(slow.bytesToServer).toBe(3);
  });

  it('delays the end of a direction as well', async () => {
    const clock = new ManualClock();
    const slow = await proxyTo(server, { clock });
    await slow.set({ latencyMs: 100 });
    const client = await connectTo(slow);
    await eventually(() => server.last);

    client.socket.end();
    await eventually(() => expect(clock.pendingTimers).toBe(1));
    expect(server.last.ended).toBe(false);
    await clock.advance(100);

    await eventually(() => expect(server.last.ended).toBe(true));
  });

  it('keeps the order when it falls', async () => {
    const client = await connectTo(proxy);
    await proxy.set({ latencyMs: 60_000 });
    client.send('first ');
    await settled();

    await proxy.set({ latencyMs: 1 });
    client.send('second');

    await client.receives('first second');
  });

  it('holds in real time', async () => {
    await proxy.set({ latencyMs: 50 });
    const client = await connectTo(proxy);
    const startMs = systemClock.monotonic();

    client.send('hello');
    await client.receives('hello');

    expect(systemClock.monotonic() - startMs).toBeGreaterThanOrEqual(100);
  });
});

describe('bytesPerSecond', () => {
  it('limits each direction', async () => {
    await proxy.set({ bytesPerSecond: 50_000 });
    const client = await connectTo(proxy);
    await eventually(() => server.last);

    const startMs = systemClock.monotonic();
    server.last.send(randomBytes(10_000));
    await client.receives(10_000);
    expect(systemClock.monotonic() - startMs).toBeGreaterThanOrEqual(200);

    client.send(randomBytes(10_000));
    await server.last.receives(10_000);
    expect(systemClock.monotonic() - startMs).toBeGreaterThanOrEqual(400);
  });

  it('lets bytes through as evenly as they come', async () => {
    const clock = new ManualClock();
    const slow = await proxyTo(server, { clock });
    await slow.set({ bytesPerSecond: 1_000 });
    const client = await connectTo(slow);
    client.send(randomBytes(100));
    await eventually(() => expect(clock.pendingTimers).toBe(1));

    await clock.advance(60);
    expect(slow.bytesToServer).toBe(60);
    await clock.advance(40);
    expect(slow.bytesToServer).toBe(100);
  });

  it('is not made up for after a black hole', async () => {
    const clock = new ManualClock();
    const slow = await proxyTo(server, { clock });
    const client = await connectTo(slow);
    await slow.set({ bytesPerSecond: 1_000, blackHole: 'both' });
    client.send(randomBytes(100));
    await settled();
    await clock.advance(10_000);

    await slow.set({ bytesPerSecond: 1_000 });
    await clock.advance(50);

    expect(slow.bytesToServer).toBeLessThanOrEqual(70);
  });
});

describe('blackHole', () => {
  it('to-server: the target hears nothing, and the client still hears the target', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);
    await proxy.set({ blackHole: 'to-server' });

    client.send('lost');
    server.last.send('news');

    await client.receives('news');
    expect(server.last.text).toBe('');
  });

  it('to-client: the target hears the client, and the client hears nothing', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);
    await proxy.set({ blackHole: 'to-client' });

    client.send('hello');
    await server.last.receives('hello');
    await settled();

    expect(client.text).toBe('');
  });

  it('both: nobody hears anything, and nobody is told', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);
    await proxy.set({ blackHole: 'both' });

    client.send('lost');
    server.last.send('lost as well');
    await settled();

    expect([client.text, server.last.text]).toEqual(['', '']);
    expect([client.socket.closed, server.last.socket.closed]).toEqual([false, false]);
  });

  it.each(['to-server', 'to-client', 'both'] as const)(
    '%s: what it held arrives when healed',
    async (blackHole) => {
      const client = await connectTo(proxy);
      client.send('before, ');
      await client.receives('before, ');
      await proxy.set({ blackHole });
      client.send('meanwhile, ');
      await settled();
      expect(client.text).toBe('before, ');

      await proxy.heal();
      client.send('after');

      await client.receives('before, meanwhile, after');
    },
  );

  it.each(['to-server', 'to-client', 'both'] as const)(
    '%s: the target hears of new connections after it',
    async (blackHole) => {
      await proxy.set({ blackHole });
      const client = await connectTo(proxy);
      client.send('hello');
      await settled();
      expect(server.peers).toHaveLength(0);

      await proxy.heal();

      await client.receives('hello');
    },
  );

  it('hides that a side has closed until it is healed', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);
    await proxy.set({ blackHole: 'both' });
    client.socket.destroy();
    await client.closed;
    await settled();
    expect(server.last.ended).toBe(false);
    expect(proxy.open).toBe(1);

    await proxy.heal();

    await eventually(() => expect(server.last.ended).toBe(true));
  });

  it('hides that a side was reset until it is healed', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);
    await proxy.set({ blackHole: 'both' });
    client.socket.resetAndDestroy();
    await settled();
    expect(server.last.socket.closed).toBe(false);

    await proxy.heal();

    await server.last.closed;
    expect(server.last.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('makes who sends too much wait, and loses none of it', async () => {
    const client = await connectTo(proxy);
    await proxy.set({ blackHole: 'to-server' });

    const sent = await sendUntilBlocked(client);
    await proxy.heal();

    await server.last.receives(sent);
  });
});

describe('refuse', () => {
  it('refuses new connections, and accepts them on the same port when healed', async () => {
    const { port } = proxy;
    await proxy.set({ refuse: true });
    await expect(connectTo({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    await proxy.heal();
    const client = await connectTo({ port });
    client.send('hello');

    await client.receives('hello');
    expect(proxy.port).toBe(port);
  });

  it.runIf(process.platform === 'linux')(
    'keeps its port meanwhile from the connections of others',
    async () => {
      const { port } = proxy;
      const hex = port.toString(16).toUpperCase().padStart(4, '0');
      // A socket of ours: once the port is free, somebody else's connection may get it.
      const isBound = (): boolean =>
        readFileSync('/proc/net/tcp', 'utf8')
          .split('\n')
          .map((line) => line.trim().split(/\s+/))
          .some(([, local, , , , , , , , inode]) => local === `0100007F:${hex}` && isOurs(inode));

      await proxy.set({ refuse: true });
      expect(isBound()).toBe(true);

      await proxy.close();
      await eventually(() => expect(isBound()).toBe(false));
    },
  );

  it('leaves existing connections alone', async () => {
    const client = await connectTo(proxy);
    client.send('before, ');
    await client.receives('before, ');

    await proxy.set({ refuse: true });
    client.send('meanwhile, ');
    await client.receives('before, meanwhile, ');
    await proxy.heal();
    client.send('after');

    await client.receives('before, meanwhile, after');
  });
});

describe('cutAfterBytes', () => {
  it('resets a connection after so many bytes from the target', async () => {
    await proxy.set({ cutAfterBytes: 5 });
    const client = await connectTo(proxy);

    client.send('hello, world');
    await client.closed;

    expect(client.text).toBe('hello');
    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('resets the connection to the target too', async () => {
    await proxy.set({ cutAfterBytes: 5 });
    const client = await connectTo(proxy);

    client.send('hello, world');
    await client.closed;
    await server.last.closed;

    expect(server.last.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('counts from when it is set, for each connection by itself', async () => {
    const first = await connectTo(proxy);
    first.send('hello');
    await first.receives('hello');
    await proxy.set({ cutAfterBytes: 4 });
    const second = await connectTo(proxy);

    first.send('abc');
    second.send('uvwxyz');
    await first.receives('helloabc');
    await second.closed;
    expect(second.text).toBe('uvwx');

    first.send('defg');
    await first.closed;
    expect(first.text).toBe('helloabcd');
  });

  it('of 0 resets without a byte', async () => {
    const existing = await connectTo(proxy);
    await proxy.set({ cutAfterBytes: 0 });
    await existing.closed;
    const late = await connectTo(proxy);
    await late.closed;

    expect([existing.error, late.error]).toMatchObject([{ code: 'ECONNRESET' }, { code: 'ECONNRESET' }]);
  });
});

describe('FaultProxy.set()', () => {
  it('puts faults in the place of those before', async () => {
    const client = await connectTo(proxy);
    await proxy.set({ blackHole: 'both' });
    client.send('hello');

    await proxy.set({ latencyMs: 1 });

    await client.receives('hello');
  });

  it('makes changes in the order in which they were asked for', async () => {
    await Promise.all([proxy.set({ refuse: true }), proxy.heal(), proxy.set({ refuse: true })]);

    await expect(connectTo(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('says if the port was taken while connections were refused, and takes it when it is free', async () => {
    await proxy.set({ refuse: true });
    const thief = await EchoServer.start(proxy.port);
    await expect(proxy.heal()).rejects.toMatchObject({ code: 'EADDRINUSE' });

    await thief.stop();
    await proxy.heal();

    await connectTo(proxy);
  });

  it.each([
    [{ latencyMs: -1 }, 'latencyMs'],
    [{ latencyMs: NaN }, 'latencyMs'],
    [{ bytesPerSecond: 0 }, 'bytesPerSecond'],
    [{ blackHole: 'yes' }, 'blackHole'],
    [{ refuse: 1 }, 'refuse'],
    [{ cutAfterBytes: 0.5 }, 'cutAfterBytes'],
    [{ latency: 100 }, 'latency'],
    [undefined, ''],
  ])('refuses %j and changes nothing', async (faults, field) => {
    // @ts-expect-error what a program without types may pass
    const refused = proxy.set(faults);

    await expect(refused).rejects.toMatchObject({ constructor: ConfigValidationError, field });
    const client = await connectTo(proxy);
    client.send('hello');
    await client.receives('hello');
  });

  it('names every mistake', async () => {
    await expect(proxy.set({ latencyMs: -1, bytesPerSecond: 0 })).rejects.toThrow(
      'Faults: "latencyMs" is -1, expected a number of milliseconds, 0 or more; ' +
        '"bytesPerSecond" is 0, expected a number above 0',
    );
  });
});

describe('FaultProxy.listen()', () => {
  it('takes the port that it is given', async () => {
    const { port } = proxy;
    await proxy.close();

    const same = await proxyTo(server, { port });

    expect(same.port).toBe(port);
  });

  it('rejects if the port is taken', async () => {
    await expect(proxyTo(server, { port: proxy.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it.each<[FaultProxyTarget, FaultProxyOptions, string]>([
    [{ host: '', port: 1 }, {}, 'host'],
    [{ host: 'localhost', port: 0 }, {}, 'port'],
    [{ host: 'localhost', port: 1 }, { port: 65_536 }, 'port'],
    [{ host: 'localhost', port: 1 }, { host: '' }, 'host'],
  ])('refuses %j with %j', async (target, options, field) => {
    await expect(FaultProxy.listen(target, options)).rejects.toMatchObject({
      constructor: ConfigValidationError,
      field,
    });
  });
});

describe('FaultProxy.reset()', () => {
  it('resets all connections on both sides', async () => {
    const client = await connectTo(proxy);
    await eventually(() => server.last);

    proxy.reset();
    await Promise.all([client.closed, server.last.closed]);

    expect([client.error, server.last.error]).toMatchObject([{ code: 'ECONNRESET' }, { code: 'ECONNRESET' }]);
  });

  it('reaches connections in a black hole', async () => {
    await proxy.set({ blackHole: 'both' });
    const client = await connectTo(proxy);
    await eventually(() => expect(proxy.open).toBe(1));

    proxy.reset();
    await client.closed;

    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('reaches connections that are just passing on an end', async () => {
    class ResettingClock extends ManualClock {
      override setTimer(passOn: () => void, delayMs: number): Timer {
        return super.setTimer(() => {
          passOn();
          slow.reset();
        }, delayMs);
      }
    }
    const clock = new ResettingClock();
    const slow = await proxyTo(server, { clock });
    await slow.set({ latencyMs: 100 });
    const client = await connectTo(slow);
    await eventually(() => server.last);
    client.socket.end();
    await eventually(() => expect(clock.pendingTimers).toBe(1));

    await clock.advance(100);

    await client.closed;
    await eventually(() => expect(slow.open).toBe(0));
  });

  it('leaves new connections alone', async () => {
    proxy.reset();

    const client = await connectTo(proxy);
    client.send('hello');

    await client.receives('hello');
  });
});

describe('FaultProxy.close()', () => {
  it.each([{}, { blackHole: 'both' }, { refuse: true }, { latencyMs: 60_000 }] as const)(
    'leaves no socket, no timer and no listener with %j',
    async (faults) => {
      await proxy.close();
      await settled();
      const before = resources();
      const clock = new ManualClock();
      const other = await proxyTo(server, { clock });
      const client = await connectTo(other);
      await other.set(faults);
      client.send('hello');
      await settled();

      await other.close();
      await client.closed;
      await Promise.all(server.peers.map(({ closed }) => closed));

      expect(other.open).toBe(0);
      expect(clock.pendingTimers).toBe(0);
      await eventually(() => expect(resources()).toEqual(before));
    },
  );

  it('resets what is open and refuses what comes', async () => {
    const client = await connectTo(proxy);

    await proxy.close();
    await client.closed;

    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
    await expect(connectTo(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('twice is once, and disposing of it is closing it', async () => {
    await Promise.all([proxy.close(), proxy.close(), proxy[Symbol.asyncDispose]()]);

    await expect(connectTo(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('wins over a change that is under way', async () => {
    await proxy.set({ refuse: true });

    await Promise.allSettled([proxy.heal(), proxy.close()]);

    await expect(connectTo(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('refuses changes after it', async () => {
    await proxy.close();

    await expect(proxy.set({ latencyMs: 1 })).rejects.toThrow(ClosedError);
  });
});

/** What can arrive has arrived. */
const settled = (): Promise<void> => sleep(systemClock, 50, { keepAlive: true });

const resources = (): string[] => process.getActiveResourcesInfo().filter((type) => type.startsWith('TCP'));

async function proxyTo({ port }: EchoServer, options?: FaultProxyOptions): Promise<FaultProxy> {
  const started = await FaultProxy.listen({ host: '127.0.0.1', port }, options);
  onTestFinished(() => started.close());
  return started;
}

async function connectTo({ port }: { readonly port: number }): Promise<Peer> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return new Peer(socket);
}

/** @returns how many bytes it took until no more were taken, which is what all buffers on the way hold */
async function sendUntilBlocked({ socket }: Peer): Promise<number> {
  const chunk = Buffer.alloc(1_000_000);
  for (let sent = chunk.length; sent < 200_000_000; sent += chunk.length) {
    if (socket.write(chunk)) continue;
    const taken = once(socket, 'drain').then(() => true);
    const blocked = sleep(systemClock, 200, { keepAlive: true }).then(() => false);
    if (!(await Promise.race([taken, blocked]))) return sent;
  }
  throw new Error('200 MB were sent, and nobody said stop');
}

/** One end of a connection, and all that it hears. */
class Peer {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];
  ended = false;
  error: Error | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('end', () => (this.ended = true));
    socket.on('error', (error) => (this.error = error));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.received.toString();
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Exactly this text, or so many bytes. */
  async receives(expected: string | number): Promise<void> {
    await eventually(() =>
      typeof expected === 'string'
        ? expect(this.text).toBe(expected)
        : expect(this.socket.bytesRead).toBe(expected),
    );
  }
}

/** Sends back what it gets, and ends only when told to. */
class EchoServer {
  readonly peers: Peer[] = [];
  #port = 0;
  #server: Server | undefined;

  static async start(port = 0): Promise<EchoServer> {
    const server = new EchoServer();
    server.#port = port;
    await server.start();
    onTestFinished(() => server.stop());
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get last(): Peer {
    const last = this.peers.at(-1);
    if (last === undefined) throw new Error('nobody has connected');
    return last;
  }

  async start(): Promise<void> {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.peers.push(new Peer(socket));
      socket.on('data', (bytes) => socket.write(bytes));
    });
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server?.close();
    for (const { socket } of this.peers) socket.resetAndDestroy();
    await Promise.all(this.peers.map(({ closed }) => closed));
  }
}

/** Whether a file descriptor of this process is that socket. */
function isOurs(inode: string | undefined): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false; // closed meanwhile
    }
  });
}
