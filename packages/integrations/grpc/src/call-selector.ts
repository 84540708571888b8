import { status, type MethodConfig } from '@grpc/grpc-js';
import { CallInfo, CallTag } from './call-info.ts';

/**
 * Configures each call: finds its method config, as grpc-js does, and has the call carry a `CallInfo`, so that the policy
 * knows which endpoints it has tried and whether it is a stream.
 */
export class CallSelector {
  readonly #configs: readonly MethodConfig[];
  readonly #byMethod = new Map<string, MethodConfig>();

  constructor(configs: readonly MethodConfig[]) {
    this.#configs = configs;
  }

  /** Hot path. */
  invoke(methodName: string) {
    const methodConfig = this.#byMethod.get(methodName) ?? this.#find(methodName);
    const { retryPolicy, hedgingPolicy } = methodConfig;
    const info = new CallInfo(retryPolicy !== undefined || hedgingPolicy !== undefined);
    return {
      methodConfig,
      pickInformation: new CallTag(info),
      status: status.OK,
      dynamicFilterFactories: [info],
    };
  }

  unref(): void {
    this.#byMethod.clear();
  }

  #find(methodName: string): MethodConfig {
    const [service = '', method = ''] = methodName.split('/').filter((part) => part !== '');
    const found =
      this.#named((name) => name.service === service && name.method === method) ??
      this.#named((name) => name.service === service && !name.method) ??
      this.#named((name) => !name.service && !name.method) ??
      unconfigured;
    if (this.#byMethod.size < mostMethods) this.#byMethod.set(methodName, found);
    return found;
  }

  #named(fits: (name: MethodConfig['name'][number]) => boolean): MethodConfig | undefined {
    return this.#configs.find(({ name }) => name.some(fits));
  }
}

const unconfigured: MethodConfig = { name: [] };

/** A caller may make up names of methods. */
const mostMethods = 100;
