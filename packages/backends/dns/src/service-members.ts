import type { Clock } from '@sd/core';
import { Members } from './members.ts';

/** Longer than anybody waits before a watch that has failed begins anew. What was known earlier may all be gone. */
const keptMs = 5 * 60_000;

/** The members of each service that is watched, and for a while of those whose watch has failed: the next begins there. */
export class ServiceMembers {
  readonly #misses: number;
  readonly #clock: Clock;
  readonly #watched = new Map<string, Members>();
  /** The oldest first. */
  readonly #failed = new Map<string, { readonly members: Members; readonly at: number }>();

  constructor(misses: number, clock: Clock) {
    this.#misses = misses;
    this.#clock = clock;
  }

  /** Of a service that is watched now. */
  get(service: string): Members | undefined {
    return this.#watched.get(service);
  }

  begin(service: string): Members {
    this.#forgetOld();
    const members = this.#failed.get(service)?.members ?? new Members(this.#misses);
    this.#failed.delete(service);
    this.#watched.set(service, members);
    return members;
  }

  end(service: string): void {
    this.#watched.delete(service);
  }

  /** Ends it too. */
  fail(service: string, members: Members): void {
    this.end(service);
    this.#forgetOld();
    this.#failed.set(service, { members, at: this.#clock.monotonic() });
  }

  clear(): void {
    this.#watched.clear();
    this.#failed.clear();
  }

  #forgetOld(): void {
    for (const [service, { at }] of this.#failed) {
      if (this.#clock.monotonic() - at < keptMs) return;
      this.#failed.delete(service);
    }
  }
}
