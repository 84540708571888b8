import type { Network } from './backend-harness.ts';
import type { FaultProxy } from './fault-proxy.ts';

/** All these proxies as one network: a client that has an endpoint for each lives in it. */
export function networkOf(proxies: readonly FaultProxy[]): Network {
  const total = (count: (proxy: FaultProxy) => number): number =>
    proxies.reduce((sum, proxy) => sum + count(proxy), 0);
  return {
    set: async (faults) => {
      await Promise.all(proxies.map((proxy) => proxy.set(faults)));
    },
    heal: async () => {
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
    reset: () => proxies.forEach((proxy) => proxy.reset()),
    get accepted() {
      return Math.max(...proxies.map(({ accepted }) => accepted));
    },
    get bytesToServer() {
      return total(({ bytesToServer }) => bytesToServer);
    },
    get bytesToClient() {
      return total(({ bytesToClient }) => bytesToClient);
    },
  };
}
