import type { InstanceStatus, ServiceInstance } from '@sd/core';

/** Of an EndpointSlice, as the API server has it. */
export interface Slice {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly { readonly name: string; readonly port: number }[];
}

interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: {
    readonly ready: boolean;
    readonly serving: boolean;
    readonly terminating: boolean;
  };
  readonly targetRef: { readonly kind: 'Pod'; readonly name: string };
}

export interface SliceApiOptions {
  /** Of the API server. */
  readonly url: string;
  readonly namespace: string;
  readonly token: string | undefined;
}

/** EndpointSlices of a namespace, by those who write them: in a cluster the controllers of Kubernetes. */
export class SliceApi {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, namespace, token }: SliceApiOptions) {
    this.#url = `${url}/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async list(labelSelector: string): Promise<readonly Slice[]> {
    const list = await this.#send('GET', `?${new URLSearchParams({ labelSelector }).toString()}`);
    return (list as { readonly items: readonly Slice[] }).items;
  }

  async put(slice: Slice): Promise<void> {
    const body = { ...slice, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' };
    await this.#send('POST', '', body);
  }

  /** @returns whether there is one */
  async change(name: string, change: Partial<Slice>): Promise<boolean> {
    return (await this.#send('PATCH', `/${name}`, change)) !== undefined;
  }

  async delete(name: string): Promise<void> {
    await this.#send('DELETE', `/${name}`);
  }

  /** @returns undefined for what is not there. @throws any other answer than one of success */
  async #send(method: string, path: string, body?: object): Promise<unknown> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...this.#headers, 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`the API server answered ${method} with ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}

/** A slice of its own for each instance, as only a slice has a version and a weight. */
export function sliceOf(instance: ServiceInstance, run: string): Slice {
  const { service, id, host, port, version, weight, protocol } = instance;
  return {
    metadata: {
      name: `${run}-${id}`,
      labels: { [runLabel]: run, 'kubernetes.io/service-name': service },
      annotations: {
        'sd.io/weight': String(weight),
        'sd.io/protocol': protocol,
        ...(version === undefined ? {} : { 'sd.io/version': version }),
      },
    },
    endpoints: [
      {
        addresses: [host],
        conditions: conditionsOf(instance.status),
        targetRef: { kind: 'Pod', name: id },
      },
    ],
    ports: [{ name: 'http', port }],
  };
}

export const runLabel = 'sd-demo-run';

/** Whether it is called, may still be called, and is about to end. */
export function conditionsOf(status: InstanceStatus): Endpoint['conditions'] {
  const terminating = status === 'draining';
  const ready = status === 'healthy' || status === 'degraded' || status === 'unknown';
  return { ready, serving: ready || terminating, terminating };
}
