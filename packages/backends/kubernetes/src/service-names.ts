import { ConfigValidationError, describeValue, validateServiceName } from '@sd/core';
import type { EndpointSlice } from './endpoint-slice.ts';

/** A service as Kubernetes knows it. */
export interface ServicePlace {
  readonly namespace: string;
  readonly service: string;
}

/**
 * How services are called: by their name, and where all namespaces are watched also as `orders.shop`, like in the DNS of
 * a cluster. A Service has no dot in its name.
 */
export class ServiceNames {
  readonly #home: string | undefined;
  readonly #allNamespaces: boolean;

  /** @param home the namespace of those without one; undefined for that of the credentials */
  constructor(home: string | undefined, allNamespaces: boolean) {
    this.#home = home;
    this.#allNamespaces = allNamespaces;
  }

  /** The namespace to list; undefined for all. */
  scope(ofCredentials: string): string | undefined {
    return this.#allNamespaces ? undefined : (this.#home ?? ofCredentials);
  }

  place(name: string, ofCredentials: string): ServicePlace {
    const home = this.#home ?? ofCredentials;
    const dot = this.#allNamespaces ? name.lastIndexOf('.') : -1;
    if (dot === -1) return { namespace: home, service: name };
    return { namespace: name.slice(dot + 1), service: name.slice(0, dot) };
  }

  nameOf({ namespace, service }: EndpointSlice): string {
    return this.#allNamespaces ? `${service}.${namespace}` : service;
  }

  /** @throws {ConfigValidationError} for what no Service, or no label, can be called */
  validate(name: string): void {
    validateServiceName(name);
    const { namespace, service } = this.place(name, 'default');
    if (
      service.length <= 63 &&
      /[A-Za-z0-9]$/.test(service) &&
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)
    )
      return;
    const expected = this.#allNamespaces
      ? 'the name of a Service, or <service>.<namespace>'
      : 'a name of at most 63 characters, as labels are';
    const issue = { field: 'service', received: describeValue(name), expected };
    throw new ConfigValidationError('Service name', [issue]);
  }
}
