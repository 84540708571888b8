interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Callers who wait until their revision, or a newer one, is published. */
export class RevisionWaiters {
  readonly #waiters = new Set<Waiter>();

  until(revision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ revision, resolve, reject });
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
