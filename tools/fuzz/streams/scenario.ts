import type { DiscoveryBackend, RegistryBackend } from '@sd/core';
import type { ConsulDnsServer } from '../../servers/index.ts';
import { until } from '../../servers/until.ts';
import type { Recorder } from './recorder.ts';
import { instanceOf, serviceName, stateOf, ttl } from './store.ts';

export interface Scene {
  /** Whose server is recorded: it watches, and registers one. */
  readonly recorded: RegistryBackend;
  /** What it registers comes and goes and changes. */
  readonly stranger: RegistryBackend;
  readonly recorder: Recorder;
}

/** A service is watched; instances come, change and go; a registration of its own is renewed. @returns what it saw */
export async function play({ recorded, stranger, recorder }: Scene): Promise<readonly string[]> {
  const first = await stranger.register(instanceOf('a'), { ttl });
  const view = new View(recorded);
  await view.shows(['a']);
  await recorded.register(instanceOf('own'), { ttl });
  await view.shows(['a', 'own']);
  const second = await stranger.register(instanceOf('b', { shard: '1' }), { ttl });
  await view.shows(['a', 'b', 'own']);
  await second.update(instanceOf('b', { shard: '2', zone: 'west' }));
  await view.shows(['a', 'b', 'own'], 'west');
  await first.release();
  await view.shows(['b', 'own']);
  await stranger.register(instanceOf('c'), { ttl });
  await view.shows(['b', 'c', 'own']);
  // Renewals come at a third of the ttl.
  const before = recorder.frames.length;
  await until('renewals', () => Promise.resolve(recorder.frames.length >= before + 3), ttl);
  await view.end();
  return view.states;
}

/** As far as DNS goes: instances come and go. */
export async function playDns(
  recorded: DiscoveryBackend,
  server: ConsulDnsServer,
): Promise<readonly string[]> {
  await server.register(serviceName, 'a', '127.0.0.1', 8080);
  const view = new View(recorded);
  const port = (n: number): string => `${serviceName}-127.0.0.1-${n}`;
  await view.shows([port(8080)]);
  await server.register(serviceName, 'b', '127.0.0.1', 8081);
  await view.shows([port(8080), port(8081)]);
  await server.deregister('a');
  await view.shows([port(8081)]);
  await server.register(serviceName, 'c', '127.0.0.1', 8082);
  await view.shows([port(8081), port(8082)]);
  await view.end();
  return view.states;
}

/** What a watch has told. */
class View {
  readonly states: string[] = [];
  readonly #over = new AbortController();
  readonly #watching: Promise<void>;

  constructor(backend: DiscoveryBackend) {
    this.#watching = this.#watch(backend);
  }

  async shows(ids: readonly string[], detail = ''): Promise<void> {
    const isShown = (): boolean => {
      const last = this.states.at(-1) ?? '';
      const shown = last === '' ? [] : last.split(', ').map((text) => text.split(' ')[0]);
      return shown.join() === ids.join() && last.includes(detail);
    };
    await until(`the view of ${ids.join()}`, () => Promise.resolve(isShown()), 5_000);
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  async #watch(backend: DiscoveryBackend): Promise<void> {
    try {
      for await (const instances of backend.watch(serviceName, { signal: this.#over.signal }))
        this.states.push(stateOf(instances));
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
  }
}
