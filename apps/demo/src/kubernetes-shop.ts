import {
  Registrations,
  systemClock,
  type Lease,
  type Placement,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import { KubernetesBackend } from '@sd/kubernetes';
import { SliceApi, sliceOf, runLabel, type SliceApiOptions } from './slices.ts';

/**
 * The demo in a cluster. `@sd/kubernetes` only reads, as there Kubernetes publishes: here each process does for itself
 * what the controllers of a cluster would do for its pod, and {@link Kubelet} does the rest.
 */
export class KubernetesShop implements RegistryBackend {
  readonly name = 'kubernetes';
  readonly #api: SliceApi;
  readonly #run: string;
  readonly #backend: KubernetesBackend;
  readonly #registrations = new Registrations({
    owner: 'The shop in Kubernetes',
    clock: systemClock,
    place: (instance) => this.#place(instance),
  });

  /** @param run a label of all slices, so that runs in one cluster do not see each other */
  constructor(options: SliceApiOptions, run: string) {
    this.#api = new SliceApi(options);
    this.#run = run;
    this.#backend = new KubernetesBackend({ ...options, labelSelector: `${runLabel}=${run}` });
  }

  get malformed() {
    return this.#backend.malformed;
  }

  listServices(options?: { readonly signal?: AbortSignal }): Promise<readonly string[]> {
    return this.#backend.listServices(options);
  }

  async getInstances(service: string, options?: { readonly signal?: AbortSignal }) {
    return asTheyCallThemselves(await this.#backend.getInstances(service, options));
  }

  async *watch(service: string, options: { readonly signal: AbortSignal }) {
    for await (const instances of this.#backend.watch(service, options))
      yield asTheyCallThemselves(instances);
  }

  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    return this.#registrations.register(instance, options);
  }

  async close(): Promise<void> {
    await this.#registrations.close();
    await this.#backend.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #place(instance: ServiceInstance): Promise<Placement> {
    const slice = sliceOf(instance, this.#run);
    const { name } = slice.metadata;
    await this.#api.delete(name);
    await this.#api.put(slice);
    return {
      write: async (changed) =>
        (await this.#api.change(name, sliceOf(changed, this.#run))) ? undefined : 'deleted',
      remove: () => this.#api.delete(name),
    };
  }
}

/** `@sd/kubernetes` adds the port to the name of the pod, as that may have several. */
const asTheyCallThemselves = (instances: readonly ServiceInstance[]): readonly ServiceInstance[] =>
  instances.map((instance) => ({ ...instance, id: instance.metadata['pod'] ?? instance.id }));
