import { experimental, type Server, type ServerCredentials } from '@grpc/grpc-js';
import type { ListeningServer } from '@sd/registry';
import { endWatches } from './health-service.ts';

/** A grpc.Server that listens, in the form in which `ServiceRegistry.register` takes servers. */
export interface ServedGrpc extends ListeningServer {
  readonly port: number;
}

/**
 * Binds a `grpc.Server` and hands it on to a registry: `register({ service, protocol: 'grpc', server })`. `drain` then
 * tells consumers first, has calls under way end (`tryShutdown`), and cuts those that do not (`forceShutdown`).
 * @param address `0.0.0.0:50051`, `[::]:50051`; port 0 takes a free one
 * @throws what `bindAsync` says
 */
export async function serveGrpc(
  server: Server,
  address: string,
  credentials: ServerCredentials,
): Promise<ServedGrpc> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const host = experimental.splitHostPort(address)?.host ?? address;
  return {
    port,
    address: () => ({ address: host, port }),
    close: (callback) => {
      endWatches(server);
      server.tryShutdown(callback);
    },
    closeAllConnections: () => server.forceShutdown(),
  };
}
