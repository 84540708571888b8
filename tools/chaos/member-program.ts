import { setLogger } from '@sd/core';
import type { Assignment, Notice, Order } from './assignment.ts';
import { HistoryWriter } from './history.ts';
import { noteStalls } from './stall.ts';
import { jumpClock } from './wall-clock.ts';

/** What all programs of a run have in common: a history, orders from the harness, and an end. */
export class MemberProgram {
  readonly assignment = JSON.parse(process.argv[2] ?? '{}') as Assignment;
  readonly history = new HistoryWriter(this.assignment.historyFile, this.assignment.who);
  readonly #drained: Promise<void>;
  #drain: () => void = () => undefined;

  constructor() {
    const log = (message: string, details?: { readonly error?: unknown }): void =>
      this.history.write({
        kind: 'log',
        text: details?.error instanceof Error ? `${message}: ${details.error.message}` : message,
      });
    setLogger({ debug: () => undefined, info: log, warn: log, error: log });
    noteStalls(this.history);
    process.on('uncaughtException', (error) => {
      this.history.write({ kind: 'uncaught', text: error.stack ?? String(error) });
      process.exit(70);
    });
    process.once('disconnect', () => process.exit(1)); // nobody would end it
    this.#drained = new Promise((resolve) => (this.#drain = resolve));
    process.on('message', (order: Order) => {
      if (order.order === 'drain') this.#drain();
      else jumpClock(order.byMs);
    });
    process.once('SIGTERM', () => this.#drain());
    // It shall end by itself when all is closed, so the channel to the harness must not keep it.
    process.channel?.unref();
  }

  /** Resolves when it is time to leave. */
  get leaving(): Promise<void> {
    return this.#drained;
  }

  tell(notice: Notice['notice']): void {
    process.send?.({ notice } satisfies Notice);
  }

  /** After this only what was left open keeps the process. */
  end(): void {
    process.removeAllListeners('disconnect');
    process.disconnect();
  }
}
