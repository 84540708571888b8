import { context, type Context } from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Guard } from './guard.ts';

/**
 * What a tracing channel binds, for OpenTelemetry's context. A channel runs its work with `store.run(value, work)`, which
 * here is `context.with`, so that whatever context manager is registered carries the span, and no second storage is kept.
 */
export class ContextStore extends AsyncLocalStorage<unknown> {
  readonly #guard: Guard;

  constructor(guard: Guard) {
    super();
    this.#guard = guard;
  }

  override run<R>(store: unknown, callback: () => R): R;
  override run<R, Args extends unknown[]>(store: unknown, callback: (...args: Args) => R, ...args: Args): R;
  override run<R, Args extends unknown[]>(store: unknown, callback: (...args: Args) => R, ...args: Args): R {
    if (!isContext(store)) return callback(...args);
    const work = { isBegun: false };
    try {
      return context.with(store, () => {
        work.isBegun = true;
        return callback(...args);
      });
    } catch (error) {
      if (work.isBegun) throw error; // the work's own
      this.#guard.report('a context', error);
      return callback(...args);
    }
  }
}

const isContext = (value: unknown): value is Context =>
  typeof value === 'object' && value !== null && 'getValue' in value;
