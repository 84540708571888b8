import type { experimental } from '@grpc/grpc-js';
import { ConfigValidationError, validate, type ServiceFilter } from '@sd/core';
import * as v from 'valibot';

/** Name of the policy in a service config: `{ "loadBalancingConfig": [{ "sd": { "strategy": "peak-ewma" } }] }`. */
export const policyName = 'sd';

export interface PolicyOptions {
  readonly strategy?: string | undefined;
  readonly filter?: ServiceFilter | undefined;
  readonly keyMetadata?: string | undefined;
}

/** What stands in a service config for the policy; what is left out is as registered. */
export class PolicyConfig implements experimental.TypedLoadBalancingConfig {
  readonly options: PolicyOptions;
  /** grpc-js goes on to the next policy, pick_first say, when a config is refused: so the calls are refused instead. */
  readonly problem: ConfigValidationError | undefined;

  constructor(options: PolicyOptions = {}, problem?: ConfigValidationError) {
    this.options = options;
    this.problem = problem;
  }

  /** Never throws. */
  static createFromJson(given: unknown): PolicyConfig {
    if (given instanceof PolicyConfig) return given;
    try {
      const { filter, ...options } = validate(`The load balancing policy "${policyName}"`, schema, given);
      return new PolicyConfig(filter === undefined ? options : { ...options, filter });
    } catch (error) {
      if (error instanceof ConfigValidationError) return new PolicyConfig({}, error);
      throw error;
    }
  }

  /** With defaults where it says nothing. */
  over(defaults: PolicyOptions): PolicyConfig {
    const { strategy, filter, keyMetadata } = this.options;
    return new PolicyConfig(
      {
        strategy: strategy ?? defaults.strategy,
        filter: filter ?? defaults.filter,
        keyMetadata: keyMetadata ?? defaults.keyMetadata,
      },
      this.problem,
    );
  }

  getLoadBalancerName(): string {
    return policyName;
  }

  toJsonObject(): object {
    return { [policyName]: this.options };
  }
}

const schema = v.strictObject(
  {
    strategy: v.optional(v.string('the name of a strategy')),
    filter: v.optional(v.record(v.string(), v.any(), 'a filter of instances')),
    keyMetadata: v.optional(v.string('the name of metadata')),
  },
  'an object of strategy, filter and keyMetadata',
);
