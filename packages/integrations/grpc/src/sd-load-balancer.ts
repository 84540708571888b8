import { connectivityState, experimental, Metadata, status, type ChannelOptions } from '@grpc/grpc-js';
import { DiscoveryError, type Timer } from '@sd/core';
import type { ServiceEndpoints } from '@sd/discovery';
import { ChannelTarget } from './channel-target.ts';
import { Connections } from './connections.ts';
import { NoConnectionError } from './errors.ts';
import { PolicyConfig, policyName } from './policy-config.ts';
import { SdPicker } from './sd-picker.ts';

/**
 * The load balancing policy `sd`: calls go where the endpoint pool of the channel's service says, over connections that
 * it keeps here. Who is there, it asks the pool; the addresses of the resolver only say that something has changed.
 */
export class SdLoadBalancer implements experimental.LoadBalancer {
  readonly #helper: experimental.ChannelControlHelper;
  #balancing: Balancing | undefined;

  constructor(helper: experimental.ChannelControlHelper) {
    this.#helper = helper;
  }

  updateAddressList(
    endpoints: experimental.StatusOr<experimental.Endpoint[]>,
    config: experimental.TypedLoadBalancingConfig,
    options: ChannelOptions,
  ): boolean {
    if (!(config instanceof PolicyConfig)) return false;
    const target: unknown = options[ChannelTarget.attribute];
    if (!endpoints.ok) {
      if (this.#balancing === undefined) this.#fail(endpoints.error.details);
    } else if (!(target instanceof ChannelTarget)) {
      this.#fail(`The load balancing policy "${policyName}" works with targets like sd:///orders alone.`);
    } else {
      this.#balance(target, config, options);
    }
    return true;
  }

  /** It is never idle while it has endpoints. Called for each call. */
  exitIdle(): void {
    // nothing to do
  }

  resetBackoff(): void {
    // the subchannels have it
  }

  destroy(): void {
    this.#balancing?.close();
    this.#balancing = undefined;
  }

  getTypeName(): string {
    return policyName;
  }

  #balance(target: ChannelTarget, config: PolicyConfig, options: ChannelOptions): void {
    try {
      if (config.problem !== undefined) throw config.problem;
      this.#balancingFor(target, config).update(subchannelOptions(options));
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error;
      this.destroy();
      this.#fail(error.message);
    }
  }

  #balancingFor(target: ChannelTarget, config: PolicyConfig): Balancing {
    const current = this.#balancing;
    if (current?.isFor(target, config) === true) return current;
    const next = new Balancing(target, config, this.#helper);
    current?.close();
    this.#balancing = next;
    return next;
  }

  #fail(details: string): void {
    const picker = new experimental.UnavailablePicker({
      code: status.UNAVAILABLE,
      details,
      metadata: new Metadata(),
    });
    this.#helper.updateState(connectivityState.TRANSIENT_FAILURE, picker, details);
  }
}

/** While the channel has this target and this config. */
class Balancing {
  readonly #target: ChannelTarget;
  readonly #config: PolicyConfig;
  readonly #helper: experimental.ChannelControlHelper;
  readonly #endpoints: ServiceEndpoints;
  readonly #connections: Connections;
  readonly #picker: SdPicker;
  #isUpdating = false;
  #timer: Timer | undefined;

  constructor(target: ChannelTarget, config: PolicyConfig, helper: experimental.ChannelControlHelper) {
    const { discovery, clock, connectTimeoutMs, channels } = target.registration;
    const { strategy, filter, keyMetadata } = config.options;
    this.#target = target;
    this.#config = config;
    this.#helper = helper;
    this.#endpoints = discovery.open(target.service, { strategy, filter });
    this.#connections = new Connections({
      helper,
      clock,
      connectTimeoutMs,
      onChange: (endpoint, phase) => {
        if (phase === 'ready') this.#endpoints.reachable(endpoint);
        else if (phase === 'failed') this.#endpoints.unreachable(endpoint);
        this.#report();
      },
    });
    this.#picker = new SdPicker({
      endpoints: this.#endpoints,
      connections: this.#connections,
      keyMetadata,
      clock,
      onNobody: () => this.#lookLater(),
    });
    channels.add(this);
  }

  isFor(target: ChannelTarget, config: PolicyConfig): boolean {
    return this.#target === target && this.#config === config;
  }

  update(options: ChannelOptions): void {
    this.#isUpdating = true;
    this.#connections.update(this.#endpoints.matching, options);
    this.#connect();
    this.#isUpdating = false;
    this.#report();
  }

  /** The registration was closed: what is known stays. */
  detach(): void {
    this.#endpoints.close();
  }

  close(): void {
    this.#timer?.cancel();
    this.#isUpdating = true; // nobody is to hear of it any more
    this.#picker.close();
    this.#connections.close();
    this.#endpoints.close();
    this.#target.registration.channels.delete(this);
  }

  /** To those that are picked now. To others, those of a worse priority say, when they are. */
  #connect(): void {
    for (const endpoint of this.#endpoints.eligible) this.#connections.open(endpoint);
  }

  /** Also has the channel pick again for calls that wait. */
  #report(): void {
    if (this.#isUpdating) return;
    const { ready, connecting, failed } = this.#connections.counts;
    if (!this.#endpoints.serves) {
      this.#lookLater();
      this.#tell(connectivityState.TRANSIENT_FAILURE, this.#endpoints.nobody());
    } else if (ready > 0) this.#tell(connectivityState.READY);
    else if (connecting > 0 || failed === 0) this.#tell(connectivityState.CONNECTING);
    else {
      const { size, lastError } = this.#connections;
      const error = new NoConnectionError(this.#endpoints.service, size, lastError);
      this.#tell(connectivityState.TRANSIENT_FAILURE, error);
    }
  }

  #tell(state: connectivityState, error?: DiscoveryError): void {
    this.#helper.updateState(state, this.#picker, error?.message ?? null);
  }

  /** Nobody takes requests. The pool does not say when somebody is let back, e.g. by an operator. */
  #lookLater(): void {
    this.#timer ??= this.#target.registration.clock.setTimer(() => {
      this.#timer = undefined;
      if (!this.#endpoints.serves) this.#lookLater();
      else {
        this.#connect();
        this.#report();
      }
    }, lookEveryMs);
  }
}

/** In milliseconds. */
const lookEveryMs = 100;

/** Those that decide whether two channels may share a connection. */
function subchannelOptions(options: ChannelOptions): ChannelOptions {
  const { [experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY]: _selector, ...rest } = options;
  return rest;
}
