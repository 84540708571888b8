import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { recording, type Recording } from './recording.ts';

export interface ReplayServer {
  readonly url: string;
  /** Request lines and headers, in the order in which they came. */
  readonly requests: readonly string[];
}

/**
 * Answers each request with the next of these recordings, byte for byte and chunk by chunk; what comes after the last one
 * is not answered. A watch that was recorded whole stays open when it is the last.
 * @param split cuts the bytes of a chunk into what is sent as one; default: as it was
 */
export async function replay(
  numbers: readonly string[],
  split: (chunk: Buffer) => readonly Buffer[] = (chunk) => [chunk],
): Promise<ReplayServer> {
  const left = numbers.map(recording);
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let received = '';
    socket.on('data', (data) => {
      received += data.toString();
      if (!received.endsWith('\r\n\r\n')) return;
      requests.push(received);
      received = '';
      const next = left.shift();
      if (next !== undefined) void answer(socket, next, split, left.length === 0);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function answer(
  socket: Socket,
  { head, chunks, isWhole, path }: Recording,
  split: (chunk: Buffer) => readonly Buffer[],
  isLast: boolean,
): Promise<void> {
  if (head === undefined) return;
  const isChunked = head.headers.some(([name]) => name === 'Transfer-Encoding');
  socket.write(
    `${head.statusLine}\r\n${head.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  for (const bytes of chunks.flatMap((chunk) => split(chunk.bytes))) {
    socket.write(isChunked ? Buffer.concat([frame(bytes.length), bytes, crlf]) : bytes);
    await setImmediate();
  }
  if (isLast && path.includes('watch=1')) return;
  if (!isWhole) socket.destroy();
  else if (isChunked) socket.write('0\r\n\r\n');
}

const crlf = Buffer.from('\r\n');
const frame = (length: number): Buffer => Buffer.from(`${length.toString(16)}\r\n`);
