import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A SOCKS 5 proxy that connects to `port` of this host, whatever it is asked for, and is gone after the test. */
export async function openSocksProxy(port: number): Promise<string> {
  const proxy = createServer((socket) => void serve(socket, port)).listen(0, '127.0.0.1');
  onTestFinished(() => void proxy.close());
  await once(proxy, 'listening');
  return `socks5://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

async function serve(socket: Socket, port: number): Promise<void> {
  socket.on('error', () => undefined);
  await once(socket, 'data');
  socket.write(Buffer.from([5, 0])); // no password
  await once(socket, 'data');
  const server = connect(port, '127.0.0.1');
  server.on('error', () => undefined).on('close', () => socket.destroy());
  socket.on('close', () => server.destroy());
  await once(server, 'connect');
  socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])); // connected
  socket.pipe(server).pipe(socket);
}
