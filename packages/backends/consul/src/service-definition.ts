import { addressOf, takesRequests, type ServiceInstance } from '@sd/core';
import type { ConsulCheck } from './consul-options.ts';
import { metaOf } from './meta.ts';

/** Ids of checks that this backend makes begin so; those of others on the same service count as theirs. */
export const checkPrefix = 'sd:';

export const serviceIdOf = ({ service, id }: Pick<ServiceInstance, 'service' | 'id'>): string =>
  `${service}:${id}`;

/** In the notes of a check: the process that holds the instance. */
export const notesOf = (owner: string): string => `sd lease ${owner}`;

/** How a process keeps an instance. */
export interface Holder {
  readonly owner: string;
  readonly check: ConsulCheck;
  /** A time to live of its own, in milliseconds; or the service whose TTL check stands for the process. */
  readonly keptBy: { readonly ttl: number } | { readonly leaseId: string };
  readonly deregisterAfterMs: number;
}

/** An instance as the library wants it, and what it would leave out. */
export interface ServiceDefinition {
  readonly registration: {
    readonly name: string;
    readonly id: string;
    readonly address: string;
    readonly port: number;
    readonly tags: string[];
    readonly meta: Record<string, string>;
    readonly checks: CheckDefinition[];
  };
  readonly fields: { readonly Weights: { readonly Passing: number; readonly Warning: number } };
}

interface CheckDefinition {
  readonly name: string;
  readonly checkid: string;
  readonly status: string;
  readonly notes: string;
  readonly deregistercriticalserviceafter?: string;
  readonly [detail: string]: unknown;
  /** The types of the library ask for it, also where there is none. */
  readonly timeout: string;
}

/** @throws {ConfigValidationError} Consul cannot hold it */
export function describeService(instance: ServiceInstance, holder: Holder): ServiceDefinition {
  const { service, host, port, tags, weight, status } = instance;
  const id = serviceIdOf(instance);
  const passing = Math.min(65_535, Math.max(1, Math.round(weight)));
  const checks = [mainCheck(instance, id, holder)];
  if (!takesRequests(status)) checks.push(statusCheck(status, id));
  return {
    registration: { name: service, id, address: host, port, tags: [...tags], meta: metaOf(instance), checks },
    fields: { Weights: { Passing: passing, Warning: passing } },
  };
}

/** That the process lives: a TTL check, an alias of one, or what the agent itself asks the instance. */
function mainCheck(instance: ServiceInstance, id: string, holder: Holder): CheckDefinition {
  const { check, owner, keptBy, deregisterAfterMs } = holder;
  const isAlias = 'leaseId' in keptBy && check.kind === 'ttl';
  const common = {
    name: check.kind === 'ttl' ? 'The process lives' : `The instance answers (${check.kind})`,
    checkid: isAlias ? mainCheckId('alias', id, keptBy.leaseId) : mainCheckId(check.kind, id, owner),
    notes: notesOf(owner),
    status: 'passing',
    timeout: '',
    deregistercriticalserviceafter: `${deregisterAfterMs}ms`,
  };
  if (check.kind === 'ttl')
    return {
      ...common,
      ...('ttl' in keptBy ? { ttl: `${keptBy.ttl}ms` } : { aliasservice: keptBy.leaseId }),
    };
  const { intervalMs = 10_000, timeoutMs = 5_000, tlsSkipVerify = false } = check;
  const timing = { interval: `${intervalMs}ms`, timeout: `${timeoutMs}ms`, tlsskipverify: tlsSkipVerify };
  return { ...common, ...timing, ...target(check, instance) };
}

function target(check: Exclude<ConsulCheck, { kind: 'ttl' }>, instance: ServiceInstance) {
  const address = addressOf(instance);
  const isSecure = ['https', 'grpcs'].includes(instance.protocol);
  switch (check.kind) {
    case 'http':
      return { http: `${isSecure ? 'https' : 'http'}://${address}${check.path}` };
    case 'tcp':
      return { tcp: address };
    case 'grpc': {
      const service = check.service === undefined ? '' : `/${check.service}`;
      return { grpc: `${address}${service}`, grpcusetls: isSecure };
    }
  }
}

/**
 * Keeps those who know nothing of our statuses from calling it. It never runs out; it goes with the status, which is
 * in its id because Consul keeps the state of a check that it knows.
 */
function statusCheck(status: string, id: string): CheckDefinition {
  return {
    name: `The instance is ${status}`,
    checkid: `${checkPrefix}status-${status}:${id}`,
    notes: 'published by the instance itself',
    status: 'critical',
    timeout: '',
    ttl: '876000h',
  };
}

/**
 * Who takes an instance over has another check, so that its former holder no longer finds the one that it renews; so has
 * another lease, as Consul keeps the state of a check that it knows.
 */
export const mainCheckId = (kind: ConsulCheck['kind'] | 'alias', id: string, holder: string): string =>
  `${checkPrefix}${kind}:${id}:${holder}`;

export const isOwnCheck = (checkId: string): boolean => checkId.startsWith(checkPrefix);

/** The check whose state tells whether the process lives. */
export const isMainCheck = (checkId: string): boolean =>
  isOwnCheck(checkId) && !checkId.startsWith(`${checkPrefix}status-`);
