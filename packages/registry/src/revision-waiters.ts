import { onAbort } from '@sd/core';

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Callers who wait until their revision, or a newer one, is published. */
export class RevisionWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Those who give up are forgotten. @throws the signal's reason, as soon as it aborts */
  until(revision: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const forget = onAbort(signal, () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      });
      const waiter: Waiter = {
        revision,
        resolve: () => {
          forget();
          resolve();
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  published(revision: number): void {
    for (const waiter of this.#takeUpTo(revision)) waiter.resolve();
  }

  refused(revision: number, error: unknown): void {
    for (const waiter of this.#takeUpTo(revision)) waiter.reject(error);
  }

  #takeUpTo(revision: number): readonly Waiter[] {
    const due = [...this.#waiters].filter((waiter) => waiter.revision <= revision);
    for (const waiter of due) this.#waiters.delete(waiter);
    return due;
  }
}
