import type { DiscoveryLogger, InstancePredicate, ServiceInstance } from '@sd/core';
import { condition, conditionOf } from './endpoint-group.ts';
import type { Layer } from './layers/layer.ts';
import { Subset, type SubsetOptions } from './layers/subset.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';

export interface CandidatesOptions {
  readonly service: string;
  /** Undefined: all. */
  readonly wanted: InstancePredicate | undefined;
  readonly layers: readonly Layer[];
  readonly subset: SubsetOptions | undefined;
  readonly logger: DiscoveryLogger;
}

/** The layers that decide who is in a set, and at what weight: filter, weight, the user's own, subset. */
export class Candidates {
  /** Those the filter lets through. */
  matching: readonly PooledEndpoint[] = [];
  /** Theirs, by place; 0 for those that later layers leave out. */
  weights = new Float64Array(0);
  readonly #options: CandidatesOptions;
  readonly #subset: Subset | undefined;
  /** By slot: what the filter said, and of which record of the instance. */
  readonly #verdicts: boolean[] = [];
  readonly #judged: (ServiceInstance | undefined)[] = [];

  constructor(options: CandidatesOptions) {
    this.#options = options;
    this.#subset = options.subset && new Subset(options.subset);
  }

  update(endpoints: readonly PooledEndpoint[]): void {
    this.matching = this.#match(endpoints);
    this.weights = this.#published();
    for (const layer of this.#options.layers) this.#apply(layer);
    this.#subset?.apply(this.matching, this.weights);
  }

  #match(endpoints: readonly PooledEndpoint[]): readonly PooledEndpoint[] {
    const { wanted } = this.#options;
    if (wanted === undefined) return endpoints;
    return endpoints.filter(({ slot, instance }) => {
      // A filter is asked once per instance and change.
      if (this.#judged[slot] !== instance) {
        this.#verdicts[slot] = this.#ask(instance, wanted);
        this.#judged[slot] = instance;
      }
      return this.#verdicts[slot];
    });
  }

  #ask(instance: ServiceInstance, wanted: InstancePredicate): boolean {
    try {
      return wanted(instance);
    } catch (error) {
      const { service, id } = instance;
      this.#options.logger.error(`The filter of service "${service}" threw; "${id}" is left out`, { error });
      return false;
    }
  }

  /** Weight 0 means no requests, unless all that take requests have it: then they are alike. */
  #published(): Float64Array<ArrayBuffer> {
    const { matching } = this;
    const weights = new Float64Array(matching.length);
    let someCount = false;
    for (let place = 0; place < matching.length; place += 1) {
      const endpoint = matching[place];
      if (endpoint === undefined) continue;
      const { weight } = endpoint.instance;
      weights[place] = weight === 0 ? 0 : Math.max(leastWeight, weight);
      someCount ||= weight > 0 && conditionOf(endpoint) < condition.unhealthy;
    }
    if (!someCount) for (let place = 0; place < weights.length; place += 1) weights[place] ||= 1;
    return weights;
  }

  #apply(layer: UncheckedLayer): void {
    const { logger, service } = this.#options;
    const before = this.weights.slice();
    try {
      const returned = layer.apply(this.matching, this.weights);
      if (returned instanceof Promise) {
        returned.catch(() => undefined); // it would end the process
        throw new TypeError('apply() is async, and the weights are needed now');
      }
    } catch (error) {
      this.weights = before;
      logger.error(`Layer "${layer.name}" of service "${service}" threw; it is left out`, { error });
      return;
    }
    const { weights } = this;
    let wrong = 0;
    while (wrong < weights.length && isWeight(weights[wrong] ?? 0)) wrong += 1;
    if (wrong === weights.length) return;
    this.weights = before;
    const { id = '' } = this.matching[wrong] ?? {};
    logger.error(
      `Layer "${layer.name}" of service "${service}" gave "${id}" no weight from 0 on; it is left out`,
      {
        weight: weights[wrong],
      },
    );
  }
}

/** Whoever wrote it may have had another idea of it. */
type UncheckedLayer = Pick<Layer, 'name'> & { apply(...of: Parameters<Layer['apply']>): unknown };

function isWeight(weight: number): boolean {
  return weight === 0 || (weight >= leastWeight && weight <= mostWeight);
}

/** Beyond these, sums of weights would lose the light ones. */
const leastWeight = 1e-9;
const mostWeight = 1e9;
