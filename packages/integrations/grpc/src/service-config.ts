import { experimental, type ChannelOptions, type MethodConfig, type ServiceConfig } from '@grpc/grpc-js';
import * as v from 'valibot';
import { PolicyConfig, policyName, type PolicyOptions } from './policy-config.ts';

/**
 * The service config of a channel: the user's (channel option `grpc.service_config`) with the policy `sd` where it names
 * none. A user who only wants retries must not lose the balancing by it.
 */
export function serviceConfigFor(channelOptions: ChannelOptions, defaults: PolicyOptions): ServiceConfig {
  const text = channelOptions['grpc.service_config'];
  const given = text === undefined ? {} : v.parse(schema, JSON.parse(text)); // grpc-js has checked it
  const { loadBalancingConfig = [], methodConfig = [], retryThrottling } = given;
  const policies = loadBalancingConfig.length === 0 ? [{ [policyName]: {} }] : loadBalancingConfig;
  return {
    loadBalancingConfig: policies.map((policy) =>
      policyName in policy
        ? { [policyName]: PolicyConfig.createFromJson(policy[policyName]).over(defaults) }
        : policy,
    ),
    methodConfig: methodConfig.map(({ timeout, ...method }): MethodConfig => {
      const duration = typeof timeout === 'string' ? experimental.parseDuration(timeout) : timeout;
      return duration ? { ...method, timeout: duration } : method;
    }),
    ...(retryThrottling && { retryThrottling }),
  };
}

/** Whether calls are balanced by the policy of this package. */
export function usesPolicy({ loadBalancingConfig: [first] }: ServiceConfig): boolean {
  return first !== undefined && policyName in first;
}

const retryCodes = v.array(v.union([v.number(), v.string()]));

/** The shape that grpc-js has checked, for the compiler. */
const schema = v.looseObject({
  loadBalancingConfig: v.exactOptional(v.array(v.record(v.string(), v.looseObject({})))),
  retryThrottling: v.exactOptional(v.object({ maxTokens: v.number(), tokenRatio: v.number() })),
  methodConfig: v.exactOptional(
    v.array(
      v.object({
        name: v.array(
          v.object({ service: v.exactOptional(v.string()), method: v.exactOptional(v.string()) }),
        ),
        waitForReady: v.exactOptional(v.boolean()),
        timeout: v.exactOptional(v.union([v.string(), v.object({ seconds: v.number(), nanos: v.number() })])),
        maxRequestBytes: v.exactOptional(v.number()),
        maxResponseBytes: v.exactOptional(v.number()),
        retryPolicy: v.exactOptional(
          v.object({
            maxAttempts: v.number(),
            initialBackoff: v.string(),
            maxBackoff: v.string(),
            backoffMultiplier: v.number(),
            retryableStatusCodes: retryCodes,
          }),
        ),
        hedgingPolicy: v.exactOptional(
          v.object({
            maxAttempts: v.number(),
            hedgingDelay: v.exactOptional(v.string()),
            nonFatalStatusCodes: v.exactOptional(retryCodes),
          }),
        ),
      }),
    ),
  ),
});
