import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Frames } from '../src/protocol/frames.ts';
import { JuteReader, JuteWriter } from '../src/protocol/jute.ts';

const unimplemented = -6;

/**
 * A server as it was before it knew these operations, in front of a new one: it answers "unimplemented" to them and, as
 * those servers do, closes the connection.
 */
export async function oldServer(
  target: { readonly host: string; readonly port: number },
  unknown: ReadonlySet<number>,
): Promise<{ readonly host: string; readonly port: number; readonly asked: readonly number[] }> {
  const sockets = new Set<Socket>();
  const asked: number[] = [];
  const server = createServer((client) => {
    const upstream = connect({ host: target.host, port: target.port });
    const frames = new Frames();
    let isFirst = true;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [client, upstream].forEach((each) => each.destroy()));
    }
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        const request = new JuteReader(frame);
        const [xid, op] = [request.int(), request.int()];
        if (!isFirst) asked.push(op);
        if (!isFirst && unknown.has(op)) {
          client.end(new JuteWriter().int(xid).long(1n).int(unimplemented).frame());
          return;
        }
        isFirst = false;
        const length = Buffer.alloc(4);
        length.writeInt32BE(frame.length);
        upstream.write(Buffer.concat([length, frame]));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, asked };
}
