import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { seededRng, systemClock } from '@sd/core';
import type { Connection } from '../src/protocol/connection.ts';
import { Connector } from '../src/protocol/connector.ts';
import { newSession } from '../src/protocol/handshake.ts';
import { JuteWriter } from '../src/protocol/jute.ts';
import { getChildren, getData } from '../src/protocol/requests.ts';
import { openConnection } from './open-backend.ts';

type Reply = (socket: Socket, turn: number, request: Buffer) => void;

const welcome = new JuteWriter().int(0).int(6_000).long(7n).bytes(Buffer.alloc(16)).bool(false).frame();
const header = (xid: number, error = 0): JuteWriter => new JuteWriter().int(xid).long(1n).int(error);
const answer = header(1).int(2).text('a').text('b').frame();

/** Answers what comes first, second … as it is told. */
async function hostileServer(reply: Reply): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let turn = 0;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (request: Buffer) => reply(socket, (turn += 1), request));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

const welcoming =
  (reply: (socket: Socket) => void): Reply =>
  (socket, turn) => {
    if (turn === 1) socket.write(welcome);
    else reply(socket);
  };

/** Opens and asks; whatever comes of it comes soon, and as an error or an answer. */
async function outcomeOf(place: { host: string; port: number }): Promise<unknown> {
  let connection: Connection | undefined;
  try {
    connection = await openConnection(place, { connectTimeoutMs: 300, silenceMs: 300 });
    return await connection.send(getChildren('/a'));
  } catch (error) {
    return error;
  } finally {
    connection?.close();
  }
}

const length = (bytes: number): Buffer => {
  const frame = Buffer.alloc(4);
  frame.writeInt32BE(bytes);
  return frame;
};

describe('a server that is none', () => {
  it('is read when it says what it should', async () => {
    const place = await hostileServer(welcoming((socket) => socket.write(answer)));
    expect(await outcomeOf(place)).toEqual(['a', 'b']);
  });

  it.each([
    ['of 2 GB', length(0x7fff_ffff), /a frame of 2147483647 bytes is announced/],
    ['of negative length', length(-2), /a frame of -2 bytes/],
    ['that is empty', length(0), /4 bytes are missing, 0 left/],
    ['that answers another request', header(9).frame(), /out of turn/],
    ['that answers nothing', header(0).frame(), /out of turn/],
    ['with a list of 2 billion', header(1).int(2_000_000_000).frame(), /2000000000 elements are announced/],
    ['with a list of negative length', header(1).int(-7).frame(), /-7 elements/],
    ['with a text that is longer than the frame', header(1).int(1).int(99).frame(), /99 bytes are announced/],
    ['that is HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /a frame of 1213486160 bytes/],
  ])('sends a frame %s: the connection ends with an error that says so', async (_, frame, message) => {
    const place = await hostileServer(welcoming((socket) => socket.write(frame)));
    const outcome = await outcomeOf(place);
    expect(outcome).toBeInstanceOf(Error);
    expect(String(outcome)).toMatch(message);
  });

  it.each([
    ['a frame of 2 GB', length(0x7fff_ffff)],
    ['a truncated welcome', new JuteWriter().int(0).int(6_000).frame()],
    ['a password of 2 GB', new JuteWriter().int(0).int(6_000).long(1n).int(0x7fff_ffff).frame()],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('greets with %s: there is no connection, and it is said why', async (_, frame) => {
    const place = await hostileServer((socket) => socket.write(frame));
    const outcome = await outcomeOf(place);
    expect(outcome).toMatchObject({ kind: 'unreachable' });
    expect(String(outcome)).toMatch(/not the protocol of ZooKeeper/);
  });

  it('says nothing: there is no connection within the limit', async () => {
    const outcome = await outcomeOf(await hostileServer(() => undefined));
    expect(String(outcome)).toMatch(/says nothing/);
  });

  it('says nothing to whoever has a short session: that is given up in time for a second round', async () => {
    const place = await hostileServer(() => undefined);
    const connector = new Connector({ servers: [place], timeoutMs: 60_000, clock: systemClock });
    const limits = { sessionTimeoutMs: 300, silenceMs: 60_000 };
    const round = connector.open(newSession(), limits, new AbortController().signal);
    await expect(round).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('falls silent later: the connection ends within the limit', async () => {
    const outcome = await outcomeOf(await hostileServer(welcoming(() => undefined)));
    expect(String(outcome)).toMatch(/no sign of life|no answer/);
  });

  it('begins a frame that does not end, and goes on to answer pings: that is silence to whoever only listens', async () => {
    const pong = header(-2).frame();
    const place = await hostileServer((socket, turn) => {
      socket.write(turn === 1 ? welcome : turn === 2 ? length(80_000_000) : pong);
    });
    const connection = await openConnection(place, { connectTimeoutMs: 300, silenceMs: 300 });
    const lost = new Promise<Error>((resolve) => {
      connection.listen({ onEvent: () => undefined, onLost: resolve });
    });
    expect(String(await lost)).toMatch(/no sign of life/);
  });

  it('stops in the middle, at any byte: an error each time', async () => {
    const everything = Buffer.concat([welcome, answer]);
    for (let cut = 0; cut < everything.length; cut += 1) {
      const place = await hostileServer((socket, turn) => {
        if (turn === 1) socket.write(everything.subarray(0, Math.min(cut, welcome.length)));
        if (turn === 1 && cut < welcome.length) socket.end();
        if (turn === 2) socket.end(everything.subarray(welcome.length, cut));
      });
      expect(await outcomeOf(place), `cut at ${cut}`).toBeInstanceOf(Error);
    }
  });

  it('sends each byte by itself: it is understood', async () => {
    const place = await hostileServer(
      welcoming((socket) => {
        for (const byte of answer) socket.write(Buffer.from([byte]));
      }),
    );
    expect(await outcomeOf(place)).toEqual(['a', 'b']);
  });

  it('sends random bytes: an error or an answer, never a crash', async () => {
    const rng = seededRng(1);
    for (let round = 0; round < 60; round += 1) {
      const noise = Buffer.from(Array.from({ length: 1 + rng() * 60 }, () => rng() * 256));
      // Half of them as a frame with a length that is right, so that more of it is read.
      const frame = round % 2 === 0 ? noise : Buffer.concat([length(noise.length), noise]);
      const place = await hostileServer(welcoming((socket) => socket.end(frame)));
      expect(await outcomeOf(place)).toBeInstanceOf(Error);
    }
  });

  it('announces much and sends little: no memory is taken for it', async () => {
    const place = await hostileServer(welcoming((socket) => socket.write(length(79_000_000))));
    const before = process.memoryUsage();
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => openConnection(place, { silenceMs: 300 })),
    );
    const answers = connections.map((connection) => connection.send(getData('/a')));
    await Promise.allSettled(answers);
    const { external, arrayBuffers } = process.memoryUsage();
    expect(external + arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(50_000_000);
  });

  it('refuses out of turn what it does not know: whoever asked is told, and the others are answered', async () => {
    const place = await hostileServer(
      welcoming((socket) => socket.write(Buffer.concat([header(2, -6).frame(), answer]))),
    );
    const connection = await openConnection(place);
    const known = connection.send(getChildren('/a'));
    const unknown = connection.send(getChildren('/b'));
    await expect(unknown).rejects.toMatchObject({ code: 'Unimplemented', path: '/b' });
    expect(await known).toEqual(['a', 'b']);
  });

  it('tells of changes that nobody asked for: they are ignored', async () => {
    const event = header(-1).int(3).int(3).text('/other').frame();
    const place = await hostileServer(
      welcoming((socket) => socket.write(Buffer.concat([event, header(-2).frame(), event, answer]))),
    );
    expect(await outcomeOf(place)).toEqual(['a', 'b']);
  });

  it.each([
    ['a new session: it is asked without our zxid the second time', 0n, [9n, 0n, 9n, 0n]],
    [
      'a session, as it does once while it ends it: it is asked without our zxid the third time',
      7n,
      [9n, 9n, 0n, 9n],
    ],
  ])('refuses %s', async (_, id, expected) => {
    const asked: bigint[] = [];
    const zxidOf = (frame: Buffer): bigint => frame.readBigInt64BE(8);
    const { host, port } = await hostileServer((socket, _turn, frame) => {
      asked.push(zxidOf(frame));
      socket.end();
    });
    const connector = new Connector({ servers: [{ host, port }], timeoutMs: 2_000, clock: systemClock });
    const session = { ...newSession(9n), id };
    const limits = { sessionTimeoutMs: 1_000, silenceMs: 1_000 };
    for (const _ of expected) {
      const round = connector.open(session, limits, new AbortController().signal);
      await expect(round).rejects.toMatchObject({ kind: 'refused' });
    }
    expect(asked).toEqual(expected);
  });
});
