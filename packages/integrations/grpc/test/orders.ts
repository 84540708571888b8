import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { ordersService } from './orders-client.ts';

export interface Handlers {
  readonly get?: (call: ServerUnaryCall<string, string>, reply: sendUnaryData<string>) => void;
  readonly list?: (call: ServerWritableStream<string, string>) => void;
  readonly send?: (call: ServerReadableStream<string, string>, reply: sendUnaryData<string>) => void;
  readonly chat?: (call: ServerDuplexStream<string, string>) => void;
}

/** `get` answers with the port by default, so that a test sees who it was. The server is gone when the test ends. */
export async function startServer(
  handlers: Handlers = {},
  host = '127.0.0.1',
  {
    port: wanted = 0,
    credentials = ServerCredentials.createInsecure(),
  }: { readonly port?: number; readonly credentials?: ServerCredentials } = {},
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server();
  let port = 0;
  const unexpected = (): never => {
    throw new Error('the test expects no such call');
  };
  server.addService(ordersService, {
    get: (_call: unknown, reply: sendUnaryData<string>) => reply(null, String(port)),
    list: unexpected,
    send: unexpected,
    chat: unexpected,
    peer: (call: ServerUnaryCall<string, string>, reply: sendUnaryData<string>) =>
      reply(null, call.getPeer()),
    ...handlers,
  });
  const address = host.includes(':') ? `[${host}]:${wanted}` : `${host}:${wanted}`;
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { server, port };
}
