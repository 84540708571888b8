import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import type { ServiceInstance } from '@sd/core';
import type { AttemptTrace, CallTrace } from '@sd/discovery';
import { attribute } from './attribute-names.ts';
import { errorTypeOfCall, otherError } from './call-error.ts';
import { boundedMethod, errorTypeOf, kindOfRequest, statusOf } from './http.ts';
import type { ServiceNames } from './service-names.ts';

/** Seconds; those that the conventions advise. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The errors of `@sd/*` are fewer. */
const mostErrorTypes = 50;

/** How long calls and requests took. Attributes are made once for each series, and used again. */
export class Durations {
  readonly #names: ServiceNames;
  readonly #byInstance: boolean;
  readonly #calls: Histogram;
  readonly #requests: Histogram;
  readonly #ofCalls = new Map<string, Map<string | undefined, Attributes>>();
  readonly #ofServices = new Map<string, Map<number, Attributes>>();
  /** An instance that is gone takes its attributes along. */
  readonly #ofInstances = new WeakMap<ServiceInstance, Map<number, Attributes>>();

  constructor(meter: Meter, names: ServiceNames, serverAddress: 'service' | 'instance') {
    this.#names = names;
    this.#byInstance = serverAddress === 'instance';
    const shape = { unit: 's', advice: { explicitBucketBoundaries: boundaries } };
    this.#calls = meter.createHistogram('sd.client.call.duration', {
      description: 'Duration of calls, with all their attempts and waits',
      ...shape,
    });
    this.#requests = meter.createHistogram('http.client.request.duration', {
      description: 'Duration of HTTP client requests.',
      ...shape,
    });
  }

  /** Hot path. */
  called(call: CallTrace): void {
    const name = this.#names.of(call.service);
    const errorType = errorTypeOfCall(call);
    const attributes = this.#ofCalls.get(name)?.get(errorType) ?? this.#ofCall(name, errorType);
    this.#calls.record((call.durationMs ?? 0) / 1_000, attributes);
  }

  /** Hot path. What is no HTTP request is in the duration of its call alone. */
  attempted(attempt: AttemptTrace): void {
    const { method, durationMs = 0 } = attempt;
    if (method !== undefined) this.#requests.record(durationMs / 1_000, this.#ofRequest(attempt, method));
  }

  #ofCall(service: string, errorType: string | undefined): Attributes {
    const known = this.#ofCalls.get(service) ?? new Map<string | undefined, Attributes>();
    this.#ofCalls.set(service, known);
    if (known.size >= mostErrorTypes && errorType !== otherError) {
      return known.get(otherError) ?? this.#ofCall(service, otherError);
    }
    const attributes = Object.freeze({
      [attribute.service]: service,
      ...(errorType === undefined ? {} : { [attribute.errorType]: errorType }),
    });
    known.set(errorType, attributes);
    return attributes;
  }

  #ofRequest(attempt: AttemptTrace, method: string): Attributes {
    const known = this.#byInstance
      ? this.#requestsOfInstance(attempt.endpoint.instance)
      : this.#requestsOfService(this.#names.of(attempt.service));
    const kind = kindOfRequest(attempt, method);
    let attributes = known.get(kind);
    if (attributes === undefined) {
      attributes = this.#makeAttributes(attempt, method);
      known.set(kind, attributes);
    }
    return attributes;
  }

  #requestsOfService(name: string): Map<number, Attributes> {
    const known = this.#ofServices.get(name) ?? new Map<number, Attributes>();
    if (known.size === 0) this.#ofServices.set(name, known);
    return known;
  }

  #requestsOfInstance(instance: ServiceInstance): Map<number, Attributes> {
    const known = this.#ofInstances.get(instance) ?? new Map<number, Attributes>();
    if (known.size === 0) this.#ofInstances.set(instance, known);
    return known;
  }

  #makeAttributes(attempt: AttemptTrace, method: string): Attributes {
    const name = this.#names.of(attempt.service);
    const { host, port } = attempt.endpoint.instance;
    const status = statusOf(attempt);
    const errorType = errorTypeOf(attempt);
    return Object.freeze({
      [attribute.method]: boundedMethod(method),
      [attribute.service]: name,
      [attribute.serverAddress]: this.#byInstance ? host : name,
      ...(this.#byInstance ? { [attribute.serverPort]: port } : {}),
      ...(status === undefined ? {} : { [attribute.status]: status }),
      ...(errorType === undefined ? {} : { [attribute.errorType]: errorType }),
    });
  }
}
