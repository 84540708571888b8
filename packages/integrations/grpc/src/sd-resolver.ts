import { experimental, status, type ChannelOptions, type ServiceConfig } from '@grpc/grpc-js';
import { takesRequests, validateServiceName, type Timer } from '@sd/core';
import type { ServiceEndpoints } from '@sd/discovery';
import { CallSelector } from './call-selector.ts';
import { ChannelTarget } from './channel-target.ts';
import { UnknownGrpcNameError } from './errors.ts';
import { registrations, type Registration } from './registrations.ts';
import { serviceConfigFor, usesPolicy } from './service-config.ts';

/** Of targets: `sd:///orders`, `sd://name/orders`. */
export const scheme = 'sd';

/** Tells a channel who is there, as soon as the view of the service changes. It has nothing to ask for: it is told. */
export class SdResolver implements experimental.Resolver {
  readonly #name: string;
  readonly #service: string;
  readonly #listener: experimental.ResolverListener;
  readonly #channelOptions: ChannelOptions;
  /** While the channel is in use and its registration open. */
  #resolution: Resolution | undefined;

  constructor(
    target: experimental.GrpcUri,
    listener: experimental.ResolverListener,
    channelOptions: ChannelOptions,
  ) {
    this.#name = target.authority ?? '';
    this.#service = serviceOf(target);
    this.#listener = listener;
    this.#channelOptions = channelOptions;
  }

  /**
   * By default the name that a TLS certificate must have, and the `:authority` of requests.
   * @throws {ConfigValidationError} when the target names no service
   */
  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return serviceOf(target);
  }

  /** Begins, or begins anew after `destroy`. The listener is never called before this returns. */
  updateResolution(): void {
    if (this.#resolution !== undefined) return;
    const registration = registrations.get(this.#name);
    try {
      if (registration === undefined) throw new UnknownGrpcNameError(this.#name, this.#service);
      this.#resolution = new Resolution(registration, this.#service, this.#listener, this.#channelOptions);
    } catch (error) {
      process.nextTick(() => this.#listener(failure(error), {}, null, ''));
    }
  }

  destroy(): void {
    this.#resolution?.close();
    this.#resolution = undefined;
  }
}

function serviceOf({ path }: experimental.GrpcUri): string {
  return validateServiceName(path);
}

class Resolution {
  readonly #registration: Registration;
  readonly #endpoints: ServiceEndpoints;
  readonly #listener: experimental.ResolverListener;
  readonly #config: ServiceConfig;
  readonly #attributes: Readonly<Record<string, unknown>>;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(
    registration: Registration,
    service: string,
    listener: experimental.ResolverListener,
    channelOptions: ChannelOptions,
  ) {
    const { discovery, filter, clock, resolveTimeoutMs } = registration;
    this.#registration = registration;
    this.#listener = listener;
    this.#config = serviceConfigFor(channelOptions, registration);
    this.#attributes = usesPolicy(this.#config)
      ? {
          [ChannelTarget.attribute]: new ChannelTarget(registration, service),
          [experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY]: new CallSelector(this.#config.methodConfig),
        }
      : {};
    this.#endpoints = discovery.open(service, { filter });
    this.#endpoints.onChange(() => this.#push());
    registration.channels.add(this);
    this.#timer = clock.setTimer(() => this.#fail(), resolveTimeoutMs);
    process.nextTick(() => this.#push());
  }

  /** The registration was closed: the channel keeps what it knows. */
  detach(): void {
    this.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#endpoints.close();
    this.#registration.channels.delete(this);
  }

  #push(): void {
    if (this.#isClosed || this.#endpoints.view.state === 'connecting') return;
    this.#timer?.cancel();
    // For policies other than ours, which knows more of them than their addresses.
    const addresses = this.#endpoints.matching
      .filter(({ instance }) => takesRequests(instance.status))
      .map(({ instance: { host, port } }) => ({ addresses: [{ host, port }] }));
    const note = addresses.length === 0 ? this.#endpoints.nobody().message : '';
    this.#tell(experimental.statusOrFromValue(addresses), note);
  }

  #fail(): void {
    this.#tell(failure(this.#endpoints.nobody()), '');
  }

  #tell(endpoints: Parameters<experimental.ResolverListener>[0], note: string): void {
    this.#listener(endpoints, this.#attributes, experimental.statusOrFromValue(this.#config), note);
  }
}

function failure(error: unknown): experimental.StatusOr<experimental.Endpoint[]> {
  return experimental.statusOrFromError({
    code: status.UNAVAILABLE,
    details: error instanceof Error ? error.message : String(error),
  });
}
