import type { InstanceState, ShopState } from '../src/shop-state.ts';

/** The shop in the middle of a run, with every kind of row. */
export function someState(changes: Partial<ShopState> = {}): ShopState {
  return {
    strategy: 'least-connections',
    rate: 100,
    elapsedMs: 8_340,
    durationMs: 20_000,
    calls: { made: 1_234, failed: 0, retries: 5, inFlight: 3, perSecond: 100, p50: 21.4, p99: 271.9 },
    instances: [
      someInstance({ service: 'checkout', id: 'checkout-1', status: 'draining', fate: 'draining' }),
      someInstance({ service: 'checkout', id: 'checkout-2' }),
      someInstance({ id: 'orders-1', fate: 'slowed', p50: 255, p99: 258, perSecond: 9.4 }),
      someInstance({ id: 'orders-2', version: '2.0.0' }),
      someInstance({ service: 'payments', id: 'payments-1', fate: 'killed', inFlight: 0 }),
      someInstance({
        service: 'payments',
        id: 'payments-2',
        status: undefined,
        fate: 'drained',
        perSecond: 0,
        p50: undefined,
        p99: undefined,
        inFlight: 0,
      }),
    ],
    events: [
      { atMs: 1_600, text: 'scale up: checkout-3 and orders-4 have started' },
      { atMs: 6_080, text: 'payments-1 is killed' },
    ],
    ...changes,
  };
}

export function someInstance(changes: Partial<InstanceState> = {}): InstanceState {
  return {
    service: 'orders',
    id: 'orders-1',
    version: '1.0.0',
    status: 'healthy',
    fate: 'running',
    perSecond: 33.3,
    p50: 5.4,
    p99: 17.8,
    inFlight: 1,
    ...changes,
  };
}
