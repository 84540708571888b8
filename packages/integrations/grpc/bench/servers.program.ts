import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { echo } from './echo.ts';
import { serve } from '../../../../tools/bench/program.ts';

const tasks = {
  /** @returns their ports */
  async start({ count }: { readonly count: number }): Promise<readonly number[]> {
    const ports = Array.from({ length: count }, () => {
      const server = new Server();
      server.addService(
        { echo },
        {
          echo: ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
            reply(null, request),
        },
      );
      return new Promise<number>((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
          error === null ? resolve(port) : reject(error),
        );
      });
    });
    return Promise.all(ports);
  },
};

export type ServersTasks = typeof tasks;
serve(tasks);
