import { experimental } from '@grpc/grpc-js';
import { compileServiceFilter, systemClock, validate, type Clock, type ServiceFilter } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import * as v from 'valibot';
import { GrpcNameTakenError } from './errors.ts';
import { registrations, type Registration } from './registrations.ts';
import { policyName, PolicyConfig } from './policy-config.ts';
import { SdLoadBalancer } from './sd-load-balancer.ts';
import { SdResolver, scheme } from './sd-resolver.ts';

export interface RegisterGrpcOptions {
  /** Finds the services. Whoever made it closes it. */
  readonly discovery: DiscoveryClient;
  /** Stands in the target: `sd://name/orders`. Default: none, as in `sd:///orders`. */
  readonly name?: string | undefined;
  /** Name of the strategy that balances calls. Default: the client's. */
  readonly strategy?: string | undefined;
  /** Only instances that match. Default: all. */
  readonly filter?: ServiceFilter | undefined;
  /** Name of the metadata whose first value is the key of strategies that hash, e.g. `user-id`. Default: no key. */
  readonly keyMetadata?: string | undefined;
  /** An instance is left out when no connection to it opens within this, in milliseconds. Default: 2,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Calls fail when there was no first snapshot of the service for this long, in milliseconds. Default: 10,000. */
  readonly resolveTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** Until it is closed, channels find services through it. */
export interface GrpcRegistration extends Disposable {
  /** The target of a service's channel: `sd:///orders`. */
  target(service: string): string;
  /**
   * Frees the name. Its channels stop watching; they keep the instances that they know until they are closed. What
   * grpc-js cannot take back, the scheme and the policy, stays and finds nobody. Idempotent.
   */
  close(): void;
}

/**
 * Makes `sd:///service` a target of every channel of `@grpc/grpc-js` in this process: resolved by a DiscoveryClient, and
 * balanced by its endpoint pool. The registries of grpc-js are global, so this is too.
 * @throws {ConfigValidationError} naming each wrong option
 * @throws {GrpcNameTakenError} the name is registered already
 */
export function registerGrpc(options: RegisterGrpcOptions): GrpcRegistration {
  validate('registerGrpc', optionsSchema, options);
  const { discovery, name = '', strategy, filter, keyMetadata, clock = systemClock } = options;
  if (strategy !== undefined) discovery.loadBalancers.get(strategy);
  if (filter !== undefined) compileServiceFilter(filter);
  if (registrations.has(name)) throw new GrpcNameTakenError(name);
  const registration: Registration = {
    discovery,
    strategy,
    filter,
    keyMetadata,
    clock,
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    resolveTimeoutMs: options.resolveTimeoutMs ?? 10_000,
    channels: new Set(),
  };
  experimental.registerResolver(scheme, SdResolver);
  experimental.registerLoadBalancerType(policyName, SdLoadBalancer, PolicyConfig);
  registrations.set(name, registration);
  const close = (): void => {
    if (registrations.get(name) === registration) registrations.delete(name);
    for (const channel of registration.channels) channel.detach();
  };
  return { target: (service) => `${scheme}://${name}/${service}`, close, [Symbol.dispose]: close };
}

const nameText = 'letters, digits, ".", "_" and "-"';
const durationText = 'milliseconds, more than 0';
const duration = v.pipe(
  v.number(durationText),
  v.check((value) => value > 0, durationText),
);
const keyText = 'the name of metadata: small letters, digits, "_", "." and "-", not ending in "-bin"';

const optionsSchema = v.strictObject(
  {
    discovery: v.instance(DiscoveryClient, 'a DiscoveryClient'),
    name: v.optional(v.pipe(v.string(nameText), v.regex(/^[A-Za-z0-9._-]+$/, nameText))),
    strategy: v.optional(v.string('the name of a strategy')),
    filter: v.optional(v.unknown()),
    keyMetadata: v.optional(v.pipe(v.string(keyText), v.regex(/^(?!.*-bin$)[0-9a-z_.-]+$/, keyText))),
    connectTimeoutMs: v.optional(duration),
    resolveTimeoutMs: v.optional(duration),
    clock: v.optional(v.custom<Clock>((value) => typeof value === 'object' && value !== null, 'a Clock')),
  },
  'an object with discovery',
);
