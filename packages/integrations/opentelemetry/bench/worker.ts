import { createInstance } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend } from '@sd/memory';
import { modes } from './modes.ts';

// One way to be measured, in a process of its own: told how many calls to make, it says how long one took, in microseconds
// of CPU time.
const mode = Object.entries(modes).find(([name]) => name === process.argv[2]);
const backend = new MemoryBackend();
const client = new DiscoveryClient({ backend });
for (const port of [1, 2, 3]) {
  await backend.register(createInstance({ service: 'orders', host: '10.0.0.1', port }, Date.now()), {
    ttl: 1e8,
  });
}
await client.getInstances('orders');
mode?.[1](client);

const options = Object.freeze({ method: 'GET', idempotent: true });
const answer = Promise.resolve();

async function measure(count: number): Promise<number> {
  const before = process.cpuUsage();
  for (let call = 0; call < count; call += 1) {
    await client.call(
      'orders',
      (attempt) => {
        attempt.status = 200;
        return answer;
      },
      options,
    );
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

process.on('disconnect', () => process.exit());
process.on('message', (count) => void measure(Number(count)).then((us) => process.send?.(us)));
