import { Client, credentials, type ClientOptions } from '@grpc/grpc-js';
import { createInstance } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { registerGrpc } from '@sd/grpc';
import { MemoryBackend } from '@sd/memory';

export const contestantNames = ['sd:///orders', 'sd, peak-ewma', 'round_robin', 'pick_first'] as const;
export type ContestantName = (typeof contestantNames)[number];

/** Channels to the same servers, each balanced another way. None shares a connection with another. */
export async function makeContestants(
  ports: readonly number[],
): Promise<Readonly<Record<ContestantName, Client>>> {
  const backend = new MemoryBackend();
  for (const port of ports) {
    const instance = createInstance({ service: 'orders', host: '127.0.0.1', port }, Date.now());
    await backend.register(instance, { ttl: 3_600_000 });
  }
  const discovery = new DiscoveryClient({ backend });
  registerGrpc({ discovery });
  const addresses = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
  return {
    'sd:///orders': connect('sd:///orders'),
    'sd, peak-ewma': connect('sd:///orders', { sd: { strategy: 'peak-ewma' } }),
    round_robin: connect(addresses, { round_robin: {} }),
    pick_first: connect(addresses, { pick_first: {} }),
  };
}

function connect(target: string, policy?: object): Client {
  const options: ClientOptions = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 };
  const config = policy && { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [policy] }) };
  return new Client(target, credentials.createInsecure(), { ...options, ...config });
}
