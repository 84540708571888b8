import { ConfigValidationError, describeValue, systemClock, systemRng } from '@sd/core';
import { IpHash } from './strategies/ip-hash.ts';
import { LeastConnections } from './strategies/least-connections.ts';
import { Random } from './strategies/random.ts';
import { RoundRobin } from './strategies/round-robin.ts';
import { WeightedRoundRobin } from './strategies/weighted-round-robin.ts';
import { ZoneAware } from './strategies/zone-aware.ts';
import type { Strategy, StrategyContext } from './strategy.ts';

/** Makes a strategy with state of its own: it is called once for each set of each service. */
export type StrategyCreator = (context: StrategyContext) => Strategy;

export type BuiltInStrategy = keyof typeof builtIn;

/** Strategies by name: the six of the package, and those that users register. */
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
  create(name: string, context: Partial<StrategyContext> = {}): Strategy {
    const strategy = this.get(name)({
      service: context.service ?? '',
      zone: context.zone,
      clock: context.clock ?? systemClock,
      rng: context.rng ?? systemRng,
    });
    const isStrategy = ['update', 'pick'].every(
      (method) => typeof Reflect.get(Object(strategy), method) === 'function',
    );
    if (!isStrategy)
      throw mistake(`creator of "${name}"`, strategy, 'one that returns a Strategy: update(), pick()');
    return strategy;
  }
}

const builtIn = {
  'round-robin': ({ rng }: StrategyContext) => new RoundRobin({ rng }),
  random: ({ rng }: StrategyContext) => new Random({ rng }),
  'least-connections': ({ rng }: StrategyContext) => new LeastConnections({ rng }),
  'weighted-round-robin': ({ rng }: StrategyContext) => new WeightedRoundRobin({ rng }),
  'ip-hash': ({ rng }: StrategyContext) => new IpHash({ rng }),
  'zone-aware': ({ zone, rng }: StrategyContext) => new ZoneAware({ zone, rng }),
} satisfies Record<string, StrategyCreator>;

function mistake(field: string, received: unknown, expected: string): ConfigValidationError {
  return new ConfigValidationError('LoadBalancerFactory', [
    { field, received: describeValue(received), expected },
  ]);
}
