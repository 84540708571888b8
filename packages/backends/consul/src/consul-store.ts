import {
  AccessDeniedError,
  BackendUnavailableError,
  isServiceName,
  type MalformedEntries,
  type ServiceInstance,
} from '@sd/core';
import type Consul from 'consul';
import type { ConsulBackendOptions } from './consul-options.ts';
import type { Refusal } from './consul-errors.ts';
import type { Paced } from './blocking-query.ts';
import { readEntries } from './health-entry.ts';
import { leaseService } from './process-lease.ts';
import type { Answer, LibraryOptions, RequestOptions, Requests } from './requests.ts';
import {
  checkPrefix,
  isMainCheck,
  isOwnCheck,
  notesOf,
  serviceIdOf,
  type ServiceDefinition,
} from './service-definition.ts';

export interface ConsulStoreOptions extends Pick<
  ConsulBackendOptions,
  'datacenter' | 'near' | 'filter' | 'consistency'
> {
  readonly requests: Requests;
  readonly malformed: MalformedEntries;
  readonly timeoutMs: number;
}

export interface Reading extends Paced {
  readonly instances: readonly ServiceInstance[];
}

export interface Listing extends Paced {
  /** By name: its tags, as one text. */
  readonly services: ReadonlyMap<string, string>;
}

/** What an agent has of a service. */
export interface ServiceChecks {
  readonly ids: readonly string[];
  /** Whose it is: undefined where it is nobody's, any more. */
  readonly holder: string | undefined;
}

/** Where a blocking query goes on, and how long it waits. */
export interface Blocking {
  readonly index: number;
  readonly waitMs: number;
}

type Library = (consul: Consul, options: LibraryOptions) => Promise<unknown>;
interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly blocking?: Blocking | undefined;
  /**
   * A leader that was just elected answers while it still catches up with its log, and so from the past; unless it is
   * asked for consistency. What begins a watch must not be that old.
   */
  readonly isFirst?: boolean | undefined;
}

/** What is asked of Consul, in our words. */
export class ConsulStore {
  readonly #options: ConsulStoreOptions;
  readonly #requests: Requests;

  constructor(options: ConsulStoreOptions) {
    this.#options = options;
    this.#requests = options.requests;
  }

  /** @throws {AccessDeniedError} the token may not read the service, where Consul says so (1.11 and newer) */
  async read(service: string, { signal, blocking, isFirst }: ReadOptions = {}): Promise<Reading> {
    const { near, filter, malformed } = this.#options;
    const rules = readRules(service);
    const { body, index, isFiltered } = await this.#read(
      { what: 'read a service', service, rules, signal, blocking, isFirst },
      (consul, options) => {
        const query = {
          ...(near === undefined ? {} : { near }),
          ...(filter === undefined ? {} : { filter }),
        };
        return consul.health.service({ ...given(options), ...query, service });
      },
    );
    if (!Array.isArray(body)) throw this.#nonsense('/v1/health/service', service);
    if (isFiltered && body.length === 0)
      throw new AccessDeniedError(
        'consul',
        `reading "${service}" needs a token with the ACL rules ${rules}`,
        {
          service,
        },
      );
    return { instances: readEntries(service, body, malformed), index, size: body.length };
  }

  /** All services that are registered, whether anybody of theirs lives or not. */
  async list({ signal, blocking, isFirst }: ReadOptions = {}): Promise<Listing> {
    const { body, index } = await this.#read(
      { what: 'list services', rules: readRules(''), signal, blocking, isFirst },
      (consul, options) => consul.catalog.service.list(given(options)),
    );
    if (typeof body !== 'object' || body === null) throw this.#nonsense('/v1/catalog/services');
    const services = Object.entries(body).filter(([name]) => isServiceName(name) && name !== 'consul');
    const tagsOf = new Map(services.map(([name, tags]) => [name, JSON.stringify(tags)]));
    return { services: tagsOf, index, size: tagsOf.size };
  }

  /** Names of services that have an instance whose process may have crashed. */
  async doubtful(signal: AbortSignal | undefined): Promise<readonly string[]> {
    const { body } = await this.#read(
      { what: 'list critical checks', rules: readRules(''), signal },
      (consul, options) => consul.health.state({ ...given(options), state: 'critical' }),
    );
    const checks: readonly unknown[] = Array.isArray(body) ? body : [];
    const ours = checks.filter((check) => isMainCheck(textOf(check, 'CheckID')));
    return [...new Set(ours.map((check) => textOf(check, 'ServiceName')))];
  }

  /** Any answer is a sign of life. */
  async probe(): Promise<void> {
    await this.#requests.send({ what: 'ask for the leader', lane: 'leases' }, (consul, options) =>
      consul.status.leader(given(options)),
    );
  }

  /** @param present ids of the checks that the service has: maintenance and what else others added stays */
  async register(
    { registration, fields }: ServiceDefinition,
    present: readonly string[] = [],
  ): Promise<void> {
    const { name: service } = registration;
    const hasOthers = !present.every(isOwnCheck);
    const query = hasOthers ? {} : replacingChecks;
    await this.#change({ what: 'register', service, fields, query }, (consul, options) =>
      consul.agent.service.register({ ...given(options), ...registration }),
    );
    if (!hasOthers) return;
    const wanted = new Set(registration.checks.map(({ checkid }) => checkid));
    const outdated = present.filter((id) => isOwnCheck(id) && !wanted.has(id));
    await Promise.all(outdated.map((id) => this.#deregisterCheck(id, service)));
  }

  async #deregisterCheck(id: string, service: string): Promise<void> {
    await this.#change({ what: 'deregister a check', service, isAbsent: isUnknown }, (consul, options) =>
      consul.agent.check.deregister({ ...given(options), id }),
    );
  }

  /** Also when there is nothing. */
  async deregister(id: string, service: string): Promise<void> {
    await this.#change({ what: 'deregister', service, isAbsent: isUnknown }, (consul, options) =>
      consul.agent.service.deregister({ ...given(options), id }),
    );
  }

  /** Registers the service whose TTL check stands for a process. */
  async grantLease(id: string, checkId: string, ttl: number, deregisterAfterMs: number): Promise<void> {
    const check = {
      name: 'The process lives',
      checkid: checkId,
      ttl: `${ttl}ms`,
      status: 'passing',
      timeout: '',
      deregistercriticalserviceafter: `${deregisterAfterMs}ms`,
    };
    const registration = { name: leaseService, id, checks: [check] };
    await this.#change(
      { what: 'register a lease', lane: 'leases', service: leaseService },
      (consul, options) => consul.agent.service.register({ ...given(options), ...registration }),
    );
  }

  /** @returns whether the agent knows it */
  async pass(checkId: string, service: string): Promise<boolean> {
    const answer = await this.#change(
      { what: 'renew a lease', lane: 'leases', service, isAbsent: isUnknown },
      (consul, options) => consul.agent.check.pass({ ...given(options), id: checkId }),
    );
    return answer !== undefined;
  }

  /** Ids in Consul of the services that a process holds at this agent. */
  async heldBy(owner: string): Promise<ReadonlySet<string>> {
    const checks = await this.#checks(`Notes == "${notesOf(owner)}"`, { lane: 'leases' });
    return new Set(checks.map((check) => textOf(check, 'ServiceID')));
  }

  async checksOf(instance: Pick<ServiceInstance, 'service' | 'id'>): Promise<ServiceChecks> {
    const { service } = instance;
    const checks = await this.#checks(`ServiceID == "${serviceIdOf(instance)}"`, {
      lane: 'changes',
      service,
    });
    const main = checks.find((check) => isMainCheck(textOf(check, 'CheckID')));
    return {
      ids: checks.map((check) => textOf(check, 'CheckID')),
      holder: main === undefined ? undefined : textOf(main, 'Notes'),
    };
  }

  /** Ids in Consul of the instances at this agent that others have added checks to, or put into maintenance. */
  async checkedByOthers(service: string): Promise<ReadonlySet<string>> {
    const filter = `ServiceName == "${service}" and CheckID not matches "^${checkPrefix}"`;
    const checks = await this.#checks(filter, { lane: 'changes', service });
    return new Set(checks.map((check) => textOf(check, 'ServiceID')));
  }

  async #checks(
    filter: string,
    { lane, service }: Pick<RequestOptions, 'lane' | 'service'>,
  ): Promise<readonly unknown[]> {
    const rules = readRules(service ?? '');
    const answer = await this.#requests.send(
      { what: 'list checks of the agent', lane, service, rules },
      (consul, options) => consul.agent.check.list({ ...given(options), filter }),
    );
    const body = answer?.body;
    if (typeof body !== 'object' || body === null) throw this.#nonsense('/v1/agent/checks', service);
    const checks: readonly unknown[] = Object.values(body);
    return checks;
  }

  #change(
    options: Omit<RequestOptions, 'lane'> & { readonly lane?: 'leases'; readonly service: string },
    call: Library,
  ): Promise<Answer | undefined> {
    const rules = `service "${options.service}" { policy = "write" }`;
    // The agent answers when the servers have it, and until then keeps all others waiting: sent once more for lack of
    // patience, it would only take longer.
    const waitMs =
      options.lane === 'leases' && options.what === 'renew a lease' ? 0 : 2 * this.#options.timeoutMs;
    return this.#requests.send({ lane: 'changes', rules, waitMs, ...options }, call);
  }

  async #read(
    { blocking, isFirst = false, ...options }: Omit<RequestOptions, 'lane'> & ReadOptions,
    call: (consul: Consul, options: LibraryOptions & Readonly<Record<string, unknown>>) => Promise<unknown>,
  ): Promise<Answer> {
    const { datacenter } = this.#options;
    const asked = this.#options.consistency ?? 'default';
    const consistency = asked === 'default' && isFirst ? 'consistent' : asked;
    const common = {
      ...(datacenter === undefined ? {} : { dc: datacenter }),
      ...(consistency === 'default' ? {} : { [consistency]: true }),
      ...(blocking === undefined ? {} : { index: String(blocking.index), wait: `${blocking.waitMs}ms` }),
    };
    // Consul adds up to a sixteenth, so that not all ask again at once.
    const waitMs = blocking === undefined ? 0 : (blocking.waitMs * 17) / 16;
    const lane = blocking === undefined ? 'reads' : 'watches';
    const answer = await this.#requests.send({ ...options, lane, waitMs }, (consul, rest) =>
      call(consul, { ...common, ...rest }),
    );
    return answer ?? { body: undefined, index: 0, isFiltered: false };
  }

  #nonsense(path: string, service?: string): BackendUnavailableError {
    return new BackendUnavailableError('consul', `${path} answered what Consul does not: is it Consul?`, {
      service,
    });
  }
}

const replacingChecks = { 'replace-existing-checks': 'true' };

const readRules = (service: string): string =>
  `service${service === '' ? '_prefix' : ''} "${service}" { policy = "read" } and node_prefix "" { policy = "read" }`;

/** 404, but 500 before Consul 1.10. */
const isUnknown = ({ status, text }: Refusal): boolean =>
  /unknown (check|service)|does not have associated TTL/i.test(text) && (status === 404 || status === 500);

/** The library takes undefined for a value. */
function given<T extends LibraryOptions>(options: T): T & { token: string } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T & { token: string };
}

const textOf = (object: unknown, field: string): string => {
  const value: unknown = Reflect.get(Object(object), field);
  return typeof value === 'string' ? value : '';
};
