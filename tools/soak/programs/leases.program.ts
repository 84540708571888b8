// A provider on a real store: instances come, change, are renewed and go, and the server is killed in between. Its
// argument is the name of the store.
import { setLogger } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { ServiceRegistry } from '@sd/registry';
import { eventually, silentLogger } from '@sd/testkit';
import { openRegistry, type RegistryStoreName } from '../../chaos/places.ts';
import { registryStores } from '../../chaos/registry-stores.ts';
import { footprint } from '../footprint.ts';
import { soak } from '../soak.ts';

setLogger(silentLogger);
const name = process.argv[2] as RegistryStoreName; // by whoever starts it
const store = await registryStores[name].start();
const before = await footprint(() => 0);
const backend = await openRegistry(store.placeAt(store.addresses));
// A tenth of what is usual: each lease is renewed three times a second.
const registry = new ServiceRegistry({ backend, ttlMs: 1_000 });
const discovery = new DiscoveryClient({ backend, follow: { reconnect: { capMs: 200 } } });
const stays = await registry.register({ service: 'orders', host: '127.0.0.1', port: 1 });

let made = 0;
async function lease(): Promise<void> {
  made += 1;
  const port = 2 + (made % 1_000);
  const registration = await registry.register({ service: 'orders', host: '127.0.0.1', port });
  await registration.update({ metadata: { made: String(made) } });
  await registration.deregister();
}

/** Its data are gone with it, and come back without anyone's help. */
async function restart(): Promise<void> {
  await store.kill();
  await store.start({ keepData: false });
  const back = async (): Promise<void> => {
    const instances = await backend.getInstances('orders');
    if (!instances.some(({ id }) => id === stays.instance.id)) throw new Error('it is not there');
  };
  await eventually(back, { timeoutMs: 20_000 });
}

await soak(before, {
  name: `leases-${name}`,
  unit: 'lease',
  // One each 100 ms for an hour.
  units: { long: 36_000, quick: 300 },
  // An hour may leave 5 MB.
  bytes: 140,
  async work(leases) {
    await discovery.getInstances('orders');
    for (let n = 0; n < leases; n += 10) await Promise.all(Array.from({ length: 10 }, lease));
    await restart();
  },
  async close() {
    await discovery.close();
    await registry.close();
    await backend.close();
  },
});
await store[Symbol.asyncDispose]();
