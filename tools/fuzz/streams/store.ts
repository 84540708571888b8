import {
  createInstance,
  type Clock,
  type DiscoveryBackend,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import type { Dialect } from './dialect.ts';

/** A store of which a recording is made, and played to its backend. */
export interface Store<Backend extends DiscoveryBackend = DiscoveryBackend> {
  readonly name: string;
  readonly dialect: Dialect;
  /** Texts that mean something there, for changes. */
  readonly words?: readonly string[];
  /**
   * All that it says has a place in one history, so that what was said to a registration makes the beginning of the
   * recording one of the past: only inputs with a step `register` have one, and another backend is told the truth.
   */
  readonly hasOneHistory?: boolean;
  open(port: number, clock?: Clock): Backend;
}

/** Of what is registered in the scenario, in milliseconds. */
export const ttl = 6_000;

export const serviceName = 'orders';

export function instanceOf(id: string, metadata: Readonly<Record<string, string>> = {}): ServiceInstance {
  return createInstance({ service: serviceName, id, host: '127.0.0.1', port: 8080, metadata }, 1_000);
}

/** What a watcher sees, as a text that is the same for the same. */
export function stateOf(instances: readonly ServiceInstance[]): string {
  const texts = instances.map(
    ({ id, host, port, status, metadata }) => `${id} ${host}:${port} ${status} ${JSON.stringify(metadata)}`,
  );
  return texts.sort().join(', ');
}

export const canRegister = (backend: DiscoveryBackend): backend is RegistryBackend => 'register' in backend;
