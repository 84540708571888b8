import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '../../../../tools/bench/program.ts';

// The instances of a service, in one process, that answer at once.
const body = Buffer.from(JSON.stringify({ id: 7, state: 'paid', items: ['a', 'b', 'c'] }));

const tasks = {
  /** @returns their ports */
  async start({ count }: { readonly count: number }): Promise<number[]> {
    const servers = Array.from({ length: count }, () =>
      createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
        response.end(body);
      }).listen(0, '127.0.0.1'),
    );
    await Promise.all(servers.map((server) => once(server, 'listening')));
    return servers.map((server) => (server.address() as AddressInfo).port);
  },
};

export type ServersTasks = typeof tasks;
serve(tasks);
