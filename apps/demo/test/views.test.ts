import { DiscoveryClient } from '@sd/client';
import { createInstance, resetLogger, setLogger, type DiscoveryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { disappearance } from '../src/views.ts';

const service = 'orders';
const doubtMs = 150;
const quiet = (): void => undefined;

beforeEach(() => setLogger({ debug: quiet, info: quiet, warn: quiet, error: quiet }));
afterEach(() => resetLogger());

/** A view of three instances in a store that can be taken away. */
class Scene implements AsyncDisposable {
  readonly #store = new MemoryStore();
  readonly #backend = new MemoryBackend({ store: this.#store });
  readonly #discovery = new DiscoveryClient({
    backend: this.#withTrouble(),
    follow: { reconnect: { baseMs: 5, capMs: 5 }, shrinkGuard: { verifyAfterMs: doubtMs } },
  });
  #trouble = new AbortController();

  static async open(): Promise<Scene> {
    const scene = new Scene();
    for (const id of ['orders-1', 'orders-2', 'orders-3'])
      scene.#store.write(
        service,
        id,
        createInstance({ service, id, host: '127.0.0.1', port: 80 }, Date.now()),
      );
    await scene.#discovery.getInstances(service);
    return scene;
  }

  loses(id: string, withinMs: number): ReturnType<typeof disappearance> {
    return disappearance(this.#discovery, { service, id }, { withinMs, troubleSince: Date.now(), doubtMs });
  }

  forget(...ids: readonly string[]): void {
    for (const id of ids) this.#store.delete(service, id);
  }

  takeStoreAway(): void {
    this.#trouble.abort(new Error('away'));
  }

  bringStoreBack(): void {
    this.#trouble = new AbortController();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#discovery.close();
    await this.#backend.close();
  }

  #withTrouble(): DiscoveryBackend {
    const backend = this.#backend;
    const trouble = (): AbortSignal => this.#trouble.signal;
    return {
      name: 'troubled',
      malformed: backend.malformed,
      listServices: () => backend.listServices(),
      getInstances: (name) => backend.getInstances(name),
      async *watch(name, { signal }) {
        const away = trouble();
        yield* backend.watch(name, { signal: AbortSignal.any([signal, away]) });
        away.throwIfAborted();
      },
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

describe('disappearance', () => {
  it('says when the view has lost it', async () => {
    await using scene = await Scene.open();
    const loss = scene.loses('orders-1', 5_000);
    await wait(30);
    scene.forget('orders-1');
    const { goneAfterMs, graceMs } = await loss;
    expect(goneAfterMs).toBeGreaterThanOrEqual(29);
    expect(graceMs).toBe(0);
  });

  it('says so when the view has it until the end', async () => {
    await using scene = await Scene.open();
    expect(await scene.loses('orders-1', 30)).toEqual({ goneAfterMs: undefined, graceMs: 0 });
  });

  it('waits for a store that is away, and allows for the time until it was back and the doubt after that', async () => {
    await using scene = await Scene.open();
    const loss = scene.loses('orders-1', 100);
    scene.takeStoreAway();
    await wait(300);
    scene.bringStoreBack();
    await wait(50);
    scene.forget('orders-1');
    const { goneAfterMs, graceMs } = await loss;
    expect(goneAfterMs).toBeGreaterThanOrEqual(349);
    expect(graceMs).toBeGreaterThanOrEqual(299 + doubtMs);
    expect(graceMs).toBeLessThanOrEqual((goneAfterMs ?? 0) + doubtMs);
  });

  it('allows for the doubt of a view whose store came back before, and has forgotten much', async () => {
    await using scene = await Scene.open();
    scene.takeStoreAway();
    await wait(20);
    scene.forget('orders-1', 'orders-2', 'orders-3');
    scene.bringStoreBack();
    await wait(50);
    const { goneAfterMs, graceMs } = await scene.loses('orders-1', 1);
    expect(graceMs).toBe(doubtMs);
    expect(goneAfterMs).toBeLessThanOrEqual(doubtMs + 50);
  });
});
