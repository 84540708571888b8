import {
  ConfigValidationError,
  createInstance,
  describeValue,
  sameInstance,
  validate,
  type ConfigIssue,
  type ServiceInstance,
  type ServiceInstanceInit,
} from '@sd/core';
import * as v from 'valibot';
import { detectHost, isWildcard } from './host.ts';
import { isSecure, type ListeningServer } from './listening-server.ts';

/** What is to be registered: an address said outright, or a server that listens already. */
export type RegistrationInit = RegistrationFields &
  (
    | { readonly port: number; readonly server?: undefined }
    | {
        /** Gives the port, the host if it is bound to one address, and is closed by `drain()`. */
        readonly server: ListeningServer;
        /** Where others reach the server, if not on the port it listens on. */
        readonly port?: number | undefined;
      }
  );

export interface RegistrationFields extends Omit<
  ServiceInstanceInit,
  'host' | 'port' | 'registeredAt' | 'updatedAt'
> {
  /** Default: the address that the server is bound to, else that of `detectHost()`. */
  readonly host?: string | undefined;
}

/** What the registrations of a process have in common; used where one does not say it itself. */
export type RegistrationDefaults = Pick<
  RegistrationFields,
  'host' | 'protocol' | 'version' | 'zone' | 'region' | 'tags' | 'metadata' | 'weight'
>;

/** @throws {ConfigValidationError} naming the first wrong field */
export function validateDefaults(defaults: RegistrationDefaults): RegistrationDefaults {
  const host = defaults.host === undefined ? 'localhost' : defaults.host;
  const [issue] = issuesOf({ ...defaults, host, service: 'any', port: 1 });
  if (issue === undefined) return defaults;
  throw new ConfigValidationError('ServiceRegistry', [{ ...issue, field: `defaults.${issue.field}` }]);
}

/**
 * The instance that a registration asks for.
 * @throws {ConfigValidationError} naming each wrong field
 */
export function describeInstance(
  init: RegistrationInit,
  defaults: RegistrationDefaults,
  now: number,
): ServiceInstance {
  validate('Registration', initSchema, init);
  const { server, ...given } = init;
  const bound = server === undefined ? undefined : boundAddress(server, given.port);
  const port = given.port ?? bound?.port;
  if (port === undefined) throw portMissing(given);
  const known = firstGiven(given.host, defaults.host, bound?.host);
  const host = known === undefined ? detectHost() : known;
  if (isWildcard(host)) {
    throw mistake(
      'host',
      describeValue(host),
      'an address that others can call, or none to have it detected',
    );
  }
  return createInstance(
    {
      ...given,
      host,
      port,
      protocol: firstGiven(
        given.protocol,
        defaults.protocol,
        server !== undefined && isSecure(server) ? 'https' : undefined,
      ),
      version: firstGiven(given.version, defaults.version),
      region: firstGiven(given.region, defaults.region),
      zone: firstGiven(given.zone, defaults.zone),
      weight: firstGiven(given.weight, defaults.weight),
      tags: firstGiven(given.tags, defaults.tags),
      metadata: firstGiven(given.metadata, defaults.metadata),
    },
    now,
  );
}

/** With what else is wrong: a name that is misspelled may be why. */
function portMissing(given: RegistrationFields): ConfigValidationError {
  const missing = { field: 'port', received: 'missing', expected: 'a port, or a server that has one' };
  const host = given.host === undefined ? 'localhost' : given.host;
  return new ConfigValidationError('Registration', [missing, ...issuesOf({ ...given, host, port: 1 })]);
}

/** What is wrong with an instance that is not to be published yet. */
function issuesOf(init: ServiceInstanceInit): readonly ConfigIssue[] {
  try {
    createInstance(init, 0);
    return [];
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.issues;
    throw error;
  }
}

/** Unlike `??`, it takes null for something given, which is then refused. */
function firstGiven<T>(...values: readonly T[]): T | undefined {
  return values.find((value) => value !== undefined);
}

/** What a server is registered as: all but the server, which does not listen yet. */
export interface ProvidedService extends RegistrationFields {
  /** Where others reach the server, if not on the port it listens on. */
  readonly port?: number | undefined;
}

/**
 * For those who register later: a wrong field is better reported where it is said.
 * @param what what was being configured, for the message
 * @throws {ConfigValidationError} naming the first wrong field
 */
export function checkProvidedService(what: string, provided: ProvidedService): ProvidedService {
  validate(what, v.looseObject({}, 'an object with service'), provided);
  const { host, port } = provided;
  const [issue] = issuesOf({ ...provided, host: host ?? 'localhost', port: port ?? 1 });
  if (issue === undefined) return provided;
  throw new ConfigValidationError(what, [issue]);
}

const isServer = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'address' in value && 'close' in value;

/** Core knows the rest. */
const initSchema = v.looseObject(
  {
    server: v.optional(
      v.custom<ListeningServer>(
        isServer,
        'a node:http, node:https or node:net server; app.listen() returns it',
      ),
    ),
  },
  'an object with service, and port or server',
);

/** What may change while an instance is registered; what is not given, or undefined, stays as it is. */
export type InstanceChanges = Omit<RegistrationFields, 'service' | 'id' | 'host'>;

/**
 * `before` with the changes; the very same object if that says the same.
 * @throws {ConfigValidationError} naming each wrong field, also one that must not change
 */
export function changeInstance(
  before: ServiceInstance,
  changes: InstanceChanges,
  now: number,
): ServiceInstance {
  validate('Registration.update', changeable, changes);
  // Undefined means: as it is. What else is no value, null say, is a mistake.
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const after = createInstance({ ...before, ...given, updatedAt: now }, now);
  return sameInstance(before, after) ? before : after;
}

/** Which fields there are; core knows what may be in them. */
const any = v.optional(v.unknown());
const changeable = v.strictObject(
  {
    protocol: any,
    version: any,
    region: any,
    zone: any,
    weight: any,
    priority: any,
    tags: any,
    metadata: any,
    status: any,
  },
  'an object of changes',
);

interface BoundAddress {
  readonly port: number;
  /** Undefined when the server listens on all addresses. */
  readonly host: string | undefined;
}

/** @param port where others reach it, if that was said: through what is in front of a pipe */
function boundAddress(server: ListeningServer, port: number | undefined): BoundAddress {
  const address = server.address();
  if (address === null) {
    throw mistake(
      'server',
      'a server that is not listening',
      'one that is: register after its "listening" event',
    );
  }
  if (typeof address === 'string' && port !== undefined) return { port, host: undefined };
  if (typeof address === 'string') {
    throw mistake(
      'server',
      `a server on the pipe ${describeValue(address)}`,
      'one that listens on a TCP port',
    );
  }
  return { port: address.port, host: isWildcard(address.address) ? undefined : address.address };
}

/** How an instance is called in messages. */
export function nameOf({ service, id }: ServiceInstance): string {
  return `"${id}" of service "${service}"`;
}

function mistake(field: string, received: string, expected: string): ConfigValidationError {
  return new ConfigValidationError('Registration', [{ field, received, expected }]);
}
