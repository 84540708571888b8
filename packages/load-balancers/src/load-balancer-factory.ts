import { ConfigValidationError, describeValue, systemClock, systemRng } from '@sd/core';
import { LatencyMetric } from './latency-metric.ts';
import { ConsistentHash } from './strategies/consistent-hash.ts';
import { HashRing } from './strategies/hash-ring.ts';
import { LeastConnections } from './strategies/least-connections.ts';
import { LeastRequest } from './strategies/least-request.ts';
import { Listed } from './strategies/listed.ts';
import { MaglevTable } from './strategies/maglev-table.ts';
import { PeakEwma } from './strategies/peak-ewma.ts';
import { Random } from './strategies/random.ts';
import { RendezvousTable } from './strategies/rendezvous-table.ts';
import { RoundRobin } from './strategies/round-robin.ts';
import { Sticky } from './strategies/sticky.ts';
import { WeightedRandom } from './strategies/weighted-random.ts';
import { WeightedRoundRobin } from './strategies/weighted-round-robin.ts';
import type { IncrementalStrategy, Strategy, StrategyContext } from './strategy.ts';

/**
 * Makes a strategy with state of its own: it is called for each group of endpoints of a set, and for the degraded ones
 * of a group.
 */
export type StrategyCreator = (context: StrategyContext) => Strategy | IncrementalStrategy;

export type BuiltInStrategy = keyof typeof builtIn;

/** One of those, or of your own. */
export type StrategyName = BuiltInStrategy | (string & Record<never, never>);

/** Strategies by name: those of the package, and those that users register. */
export class LoadBalancerFactory {
  readonly #creators = new Map<string, StrategyCreator>(Object.entries(builtIn));

  get names(): readonly string[] {
    return [...this.#creators.keys()];
  }

  /**
   * Adds a strategy, or replaces the one of that name for services that are not in use yet.
   * @throws {ConfigValidationError} when the name is empty or the creator is no function
   */
  register(name: string, creator: StrategyCreator): this {
    if (typeof name !== 'string' || name === '') {
      throw mistake('name', name, 'a name');
    }
    if (typeof creator !== 'function') {
      throw mistake('creator', creator, 'a function (context) => Strategy');
    }
    this.#creators.set(name, creator);
    return this;
  }

  /** @throws {ConfigValidationError} when no strategy has this name */
  get(name: string): StrategyCreator {
    const creator = this.#creators.get(name);
    if (creator === undefined) {
      throw mistake('strategy', name, `one of ${this.names.map((known) => `"${known}"`).join(', ')}`);
    }
    return creator;
  }

  /**
   * A new strategy.
   * @throws {ConfigValidationError} when no strategy has this name, or its creator makes something else
   */
  create(name: string, context: Partial<StrategyContext> = {}): IncrementalStrategy {
    const { clock = systemClock, rng = systemRng, zone, service = '' } = context;
    const latencies = context.latencies ?? ((): LatencyMetric => new LatencyMetric({ clock }));
    const strategy = this.get(name)({ service, zone, clock, rng, latencies });
    if (isSimple(strategy)) return new Listed(name, strategy);
    if (isIncremental(strategy)) return strategy;
    const expected = 'one that returns a Strategy: update(), pick()';
    throw mistake(`creator of "${name}"`, strategy, expected);
  }
}

function isSimple(strategy: Strategy | IncrementalStrategy): strategy is Strategy {
  return hasMethods(strategy, 'update', 'pick');
}

function isIncremental(strategy: Strategy | IncrementalStrategy): strategy is IncrementalStrategy {
  return hasMethods(strategy, 'add', 'remove', 'reweigh', 'suspend', 'resume', 'pick');
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(Object(value), name) === 'function');
}

const ringHash = ({ rng }: StrategyContext): IncrementalStrategy =>
  new ConsistentHash({ table: new HashRing(), rng });

const builtIn = {
  'round-robin': ({ rng }: StrategyContext) => new RoundRobin({ rng }),
  random: ({ rng }: StrategyContext) => new Random({ rng }),
  'weighted-round-robin': ({ rng }: StrategyContext) => new WeightedRoundRobin({ rng }),
  'weighted-random': ({ rng }: StrategyContext) => new WeightedRandom({ rng }),
  'least-connections': ({ rng }: StrategyContext) => new LeastConnections({ rng }),
  'least-request': ({ rng }: StrategyContext) => new LeastRequest({ rng }),
  'peak-ewma': ({ rng, latencies }: StrategyContext) => new PeakEwma({ rng, latencies: latencies() }),
  'ip-hash': ringHash,
  'ring-hash': ringHash,
  maglev: ({ rng }: StrategyContext) => new ConsistentHash({ table: new MaglevTable(), rng }),
  rendezvous: ({ rng }: StrategyContext) => new ConsistentHash({ table: new RendezvousTable(), rng }),
  sticky: ({ rng }: StrategyContext) => new Sticky({ rng }),
  // Its pool puts the zones before it, whatever its options say of them.
  'zone-aware': ({ rng }: StrategyContext) => new WeightedRoundRobin({ rng }),
} satisfies Record<string, StrategyCreator>;

function mistake(field: string, received: unknown, expected: string): ConfigValidationError {
  return new ConfigValidationError('LoadBalancerFactory', [
    { field, received: describeValue(received), expected },
  ]);
}
