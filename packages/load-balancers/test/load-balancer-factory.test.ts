import { ConfigValidationError, ManualClock, seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import {
  firstUntried,
  LatencyMetric,
  LoadBalancerFactory,
  RoundRobin,
  type Endpoint,
  type PickRequest,
  type Strategy,
  type StrategyContext,
} from '../src/index.ts';
import { inTurn, instances, poolOf, tally, weighted } from './pools.ts';

const builtIn = [
  ...[
    'round-robin',
    'random',
    'weighted-round-robin',
    'weighted-random',
    'least-connections',
    'least-request',
  ],
  ...['peak-ewma', 'ip-hash', 'ring-hash', 'maglev', 'rendezvous', 'sticky', 'zone-aware'],
];

/** Sends everything to the newest version of the service. */
class Newest implements Strategy {
  #newest: readonly Endpoint[] = [];
  #next = 0;

  update(endpoints: readonly Endpoint[]): void {
    const versions = endpoints.map(({ instance }) => instance.version ?? '').sort();
    this.#newest = endpoints.filter(({ instance }) => instance.version === versions.at(-1));
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    this.#next = (this.#next + 1) % this.#newest.length;
    return firstUntried(this.#newest, this.#next, tried);
  }
}

describe('LoadBalancerFactory', () => {
  it('knows the strategies of the package', () => {
    expect(new LoadBalancerFactory().names).toEqual(builtIn);
  });

  it('makes a strategy of its own for everybody who asks', () => {
    const factory = new LoadBalancerFactory();
    expect(factory.create('round-robin')).toBeInstanceOf(RoundRobin);
    expect(factory.create('round-robin')).not.toBe(factory.create('round-robin'));
  });

  it('refuses what a creator makes that is no strategy', () => {
    // @ts-expect-error -- wrong on purpose
    const factory = new LoadBalancerFactory().register('half', () => ({ pick: () => undefined }));
    expect(() => factory.create('half')).toThrow(ConfigValidationError);
  });

  it('gives a creator what the pool knows', () => {
    const contexts: StrategyContext[] = [];
    const factory = new LoadBalancerFactory().register('spy', (context) => {
      contexts.push(context);
      return new Newest();
    });
    const [clock, rng] = [new ManualClock(), seededRng(1)];
    poolOf([], { factory, service: 'orders', zone: 'a', clock, rng }).set('spy');
    expect(contexts).toMatchObject([{ service: 'orders', zone: 'a', clock, rng }]);
    expect(contexts[0]?.latencies()).toBeInstanceOf(LatencyMetric);
  });

  it("runs a user's own strategy in a pool", () => {
    const factory = new LoadBalancerFactory().register('newest', () => new Newest());
    const versions = ['1.0.0', '2.0.0', '2.0.0'];
    const pool = poolOf(
      instances(3, (index) => ({ version: versions[index] })),
      { factory },
    );
    expect(factory.names).toEqual([...builtIn, 'newest']);
    expect(tally(inTurn(pool, pool.set('newest'), 10))).toEqual({ 'i-001': 5, 'i-002': 5 });
  });

  it("lets a user's own strategy replace one of the package, in this factory only", () => {
    const factory = new LoadBalancerFactory().register('random', () => new RoundRobin({ rng: () => 0 }));
    const pool = poolOf(weighted(1, 1), { factory });
    expect(inTurn(pool, pool.set('random'), 4)).toEqual(['a', 'b', 'a', 'b']);
    expect(new LoadBalancerFactory().create('random')).not.toBeInstanceOf(RoundRobin);
  });

  it('names those it knows when asked for another', () => {
    const call = (): unknown => poolOf([]).set('roundrobin');
    expect(call).toThrow(ConfigValidationError);
    expect(call).toThrow('"strategy" is "roundrobin", expected one of "round-robin", "random"');
    expect(() => new LoadBalancerFactory().get('constructor')).toThrow(ConfigValidationError);
  });

  it.each([
    ['an empty name', '', () => new Newest(), 'name'],
    ['no name', undefined, () => new Newest(), 'name'],
    ['no creator', 'mine', new Newest(), 'creator'],
  ])('refuses %s', (_what, name, creator, field) => {
    // @ts-expect-error as plain JavaScript may call it
    const call = (): unknown => new LoadBalancerFactory().register(name, creator);
    expect(call).toThrow(ConfigValidationError);
    expect(call).toThrow(expect.objectContaining({ field }));
  });
});
