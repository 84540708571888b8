import { createInstance, type ServiceInstance } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import Consul from 'consul';
import { ConsulServer } from '../../../../tools/servers/index.ts';
import { ConsulBackend, type ConsulBackendOptions } from '@sd/consul';

/** A server of its own for a measurement, and its clients. */
export class Stage implements AsyncDisposable {
  readonly server: ConsulServer;
  readonly #backends: ConsulBackend[] = [];

  static async open(persistent = false): Promise<Stage> {
    return new Stage(await ConsulServer.start({ persistent }));
  }

  private constructor(server: ConsulServer) {
    this.server = server;
  }

  backend(options: ConsulBackendOptions = {}): ConsulBackend {
    const backend = new ConsulBackend({ url: this.server.url, logger: silentLogger, ...options });
    this.#backends.push(backend);
    return backend;
  }

  /** The library by itself. */
  raw(): Consul {
    return new Consul({ host: this.server.host, port: this.server.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()));
    await this.server.stop();
  }
}

export function example(n: number, service = 'orders'): ServiceInstance {
  return createInstance(
    {
      service,
      id: `${service}-${n}`,
      host: '10.0.0.1',
      port: 1 + (n % 60_000),
      version: '1.2.3',
      zone: 'eu-1',
      tags: ['canary'],
      metadata: { team: 'a', build: String(n) },
    },
    1_767_225_600_000,
  );
}

/** Does it `steps` times, so many at once. @returns how often a second */
export async function rate(
  steps: number,
  atOnce: number,
  step: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < steps) await step(next++);
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, lane));
  return steps / ((performance.now() - startedAt) / 1_000);
}
