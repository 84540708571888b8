import { expect, it } from 'vitest';
import { createInstance, type Clock, type Timer } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';

/** As Node's timers are: those that came due during a pause fire after it, in their order. */
class PausingClock implements Clock {
  readonly #timers = new Map<Timer, { readonly dueAt: number; readonly callback: () => void }>();
  #elapsedMs = 0;

  now = (): number => this.#elapsedMs;
  monotonic = (): number => this.#elapsedMs;

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { cancel: () => void this.#timers.delete(timer) };
    this.#timers.set(timer, { dueAt: this.#elapsedMs + delayMs, callback });
    return timer;
  }

  pause(ms: number): void {
    this.#elapsedMs += ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, left], [, right]) => left.dueAt - right.dueAt);
      if (next === undefined || next[1].dueAt > this.#elapsedMs) return;
      this.#timers.delete(next[0]);
      next[1].callback();
    }
  }
}

it('a process that stood still for longer than the ttl finds its instances still there', async () => {
  const ttl = 9_000;
  const clock = new PausingClock();
  const backend = new MemoryBackend({ store: new MemoryStore({ clock }) });
  const orders = createInstance({ service: 'orders', host: '10.0.0.1', port: 8080 }, 0);
  const lease = await backend.register(orders, { ttl });
  for (let elapsedMs = 0; elapsedMs < 8_500; elapsedMs += 500) clock.pause(500);

  clock.pause(60_000);

  expect(lease.lost.aborted).toBe(false);
  expect(await backend.getInstances('orders')).toEqual([orders]);
});
