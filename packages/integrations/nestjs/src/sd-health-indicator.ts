import { ConfigValidationError, takesRequests } from '@sd/core';
import type { DiscoveryClient, ServiceStatus } from '@sd/discovery';

/** What Terminus makes of an indicator, as its `HealthIndicatorService` would. */
export type SdHealthResult<Key extends string = string> = Record<Key, SdHealthDetail>;

type SdHealthDetail =
  | {
      readonly status: 'up' | 'down';
      readonly ready: number;
      readonly known: number;
      readonly stale: boolean;
    }
  | { readonly status: 'down'; readonly message: string };

type Views = Pick<DiscoveryClient, 'getInstances' | 'endpoints' | 'inUse'>;

/** Whether a service that this app needs can take requests, for `HealthCheckService.check()` of Terminus, 11 and later. */
export class SdHealthIndicator {
  readonly #discovery: Views;
  readonly #asked = new Set<string>();

  constructor(discovery: Views) {
    this.#discovery = discovery;
  }

  /**
   * Up while some instance takes requests, and the service's circuit breaker lets calls through. Asks nobody: it says
   * what the app's own calls and watch have found, so that a store that is down, or many probes, change nothing. Only the
   * first look at a service waits for the store, 10 s at most.
   * @param key what the answer is listed under. Default: the name of the service
   * @throws {ConfigValidationError} no name of a service
   */
  async isHealthy<Key extends string>(key: Key, service: string = key): Promise<SdHealthResult<Key>> {
    const detail = await this.#look(service);
    const result: Partial<SdHealthResult<Key>> = {};
    return Object.assign(result, { [key]: detail });
  }

  async #look(service: string): Promise<SdHealthDetail> {
    try {
      // The first look has waited; whoever asks again is told at once.
      const isWaiting = this.#asked.has(service) && this.#statusOf(service)?.view.state === 'connecting';
      if (isWaiting) return { status: 'down', message: `No snapshot of "${service}" yet; still trying` };
      this.#asked.add(service);
      const known = (await this.#discovery.getInstances(service)).length;
      const endpoints = this.#discovery.endpoints(service) ?? [];
      const ready = endpoints.filter(({ status }) => takesRequests(status)).length;
      const { view, breaker } = this.#statusOf(service) ?? {};
      const isShut = breaker === 'open' || breaker === 'isolated';
      const stale = view?.state === 'stale';
      if (isShut) return { status: 'down', message: `The circuit breaker of "${service}" is ${breaker}` };
      return { status: ready > 0 ? 'up' : 'down', ready, known, stale };
    } catch (error) {
      if (error instanceof ConfigValidationError) throw error;
      return { status: 'down', message: error instanceof Error ? error.message : String(error) };
    }
  }

  #statusOf(service: string): ServiceStatus | undefined {
    return this.#discovery.inUse().find((status) => status.service === service);
  }
}
