import { loadPeer } from '../../../tools/bench/peers.ts';
import { dirname, join } from 'node:path';
import { instances, sink, type Contestant } from './contestants.ts';

/** What others have published, driven as they drive it themselves. Installed beside, see `tools/bench-peers`. */
export const peers: readonly Contestant[] = [
  { name: 'grpc-js round_robin', step: 'pick', prepare: grpcRoundRobin },
  { name: 'undici BalancedPool', step: 'pick', prepare: undiciBalancedPool },
  { name: 'moleculer RoundRobin', step: 'pick', prepare: moleculerRoundRobin },
  { name: 'hazel round-robin', step: 'pick', prepare: (n) => hazelPick('RoundRobinStrategy', n) },
  {
    name: 'hazel weighted-round-robin',
    step: 'pick',
    prepare: (n) => hazelPick('WeightedRoundRobinStrategy', n),
  },
  { name: 'hazel least-connections', step: 'pick and finish', prepare: hazelLeastConnections },
];

interface GrpcPicker {
  pick(args: { readonly metadata: null; readonly extraPickInfo: object }): unknown;
}

/** Its real picker over its real leaf balancers, whose connections say that they are ready. */
function grpcRoundRobin(n: number): (count: number) => void {
  const { experimental } = loadPeer('@grpc/grpc-js') as {
    experimental: { parseLoadBalancingConfig(config: object): unknown };
  };
  const { RoundRobinLoadBalancer } = loadPeer('@grpc/grpc-js/build/src/load-balancer-round-robin.js') as {
    RoundRobinLoadBalancer: new (helper: object) => {
      updateAddressList(endpoints: object, config: unknown, options: object, note: string): boolean;
    };
  };
  const ignored = (): void => undefined;
  const ready = 2;
  let picker: GrpcPicker | undefined;
  const balancer = new RoundRobinLoadBalancer({
    createSubchannel: () => ({
      getConnectivityState: () => ready,
      isHealthy: () => true,
      addConnectivityStateListener: ignored,
      removeConnectivityStateListener: ignored,
      addHealthStateWatcher: ignored,
      removeHealthStateWatcher: ignored,
      getAddress: () => '',
      getChannelzRef: ignored,
      ref: ignored,
      unref: ignored,
    }),
    updateState: (_state: unknown, next: GrpcPicker) => (picker = next),
    requestReresolution: ignored,
    addChannelzChild: ignored,
    removeChannelzChild: ignored,
  });
  const value = instances(n).map(({ host, port }) => ({ addresses: [{ host, port }] }));
  balancer.updateAddressList(
    { ok: true, value },
    experimental.parseLoadBalancingConfig({ round_robin: {} }),
    {},
    '',
  );
  const args = { metadata: null, extraPickInfo: {} };
  return (count) => {
    for (let step = 0; step < count; step += 1) sink.last = picker?.pick(args);
  };
}

function undiciBalancedPool(n: number): (count: number) => void {
  const { BalancedPool } = loadPeer('undici') as { BalancedPool: new (upstreams: string[]) => object };
  const pool = new BalancedPool(instances(n).map(({ host, port }) => `http://${host}:${port}`));
  const prototype: unknown = Object.getPrototypeOf(pool);
  const getDispatcher = Object.getOwnPropertySymbols(prototype).find(
    ({ description }) => description === 'get dispatcher',
  );
  const picking = pool as Record<symbol, () => unknown>;
  return (count) => {
    for (let step = 0; step < count; step += 1) sink.last = picking[getDispatcher ?? Symbol()]?.();
  };
}

function moleculerRoundRobin(n: number): (count: number) => void {
  const { Strategies } = loadPeer('moleculer') as { Strategies: { RoundRobin: unknown } };
  const file = join(dirname(loadPeer.resolve('moleculer')), 'src/registry/endpoint-list.js');
  const EndpointList = loadPeer(file) as new (
    registry: object,
    broker: object,
    name: string,
    group: undefined,
    endpointFactory: undefined,
    strategyFactory: unknown,
  ) => { endpoints: object[]; next(context: object): unknown };
  const registry = { opts: { preferLocal: true } };
  const list = new EndpointList(registry, {}, 'orders.get', undefined, undefined, Strategies.RoundRobin);
  list.endpoints = instances(n).map(({ id }) => ({ id, isAvailable: true, local: false }));
  const context = {};
  return (count) => {
    for (let step = 0; step < count; step += 1) sink.last = list.next(context);
  };
}

interface HazelStrategy {
  choose(instances: readonly object[]): { readonly id: string } | null;
  incrementConnections(id: string): void;
  decrementConnections(id: string): void;
}

function hazel(strategy: string): HazelStrategy {
  const strategies = loadPeer('@hazeljs/discovery/dist/load-balancer/strategies.js') as Record<
    string,
    new () => HazelStrategy
  >;
  const Strategy = strategies[strategy];
  if (Strategy === undefined) throw new Error(`@hazeljs/discovery has no ${strategy}`);
  return new Strategy();
}

function hazelInstances(n: number): object[] {
  return instances(n).map(({ id, weight }) => ({ id, status: 'UP', metadata: { weight } }));
}

function hazelPick(name: string, n: number): (count: number) => void {
  const [strategy, list] = [hazel(name), hazelInstances(n)];
  return (count) => {
    for (let step = 0; step < count; step += 1) sink.last = strategy.choose(list);
  };
}

function hazelLeastConnections(n: number): (count: number) => void {
  const [strategy, list] = [hazel('LeastConnectionsStrategy'), hazelInstances(n)];
  return (count) => {
    for (let step = 0; step < count; step += 1) {
      const id = strategy.choose(list)?.id ?? '';
      strategy.incrementConnections(id);
      strategy.decrementConnections(id);
    }
  };
}
