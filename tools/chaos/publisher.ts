import type { ChaosStore, PublishedEntry } from './chaos-store.ts';
import type { Notice } from './assignment.ts';
import type { HistoryWriter } from './history.ts';
import type { Member } from './member.ts';

/** A store in which instances do not publish themselves. */
export type PublishedStore = Required<Pick<ChaosStore, 'publish'>>;

/** How often it looks, and how long somebody may not answer until it is taken out; in milliseconds. */
const probeEveryMs = 100;
const awayMs = 600;

/** Publishes providers in a store that they cannot write, as the controllers of a cluster or an operator would. */
export class Publisher implements AsyncDisposable {
  readonly #store: PublishedStore;
  readonly #history: HistoryWriter;
  readonly #known = new Map<Member, { isLeaving: boolean; answeredAt: number }>();
  readonly #timer: NodeJS.Timeout;
  #written = new Map<string, PublishedEntry>();
  #isStale = true;
  #writing: Promise<void> | undefined;

  constructor(store: PublishedStore, history: HistoryWriter) {
    this.#store = store;
    this.#history = history;
    this.#timer = setInterval(() => this.#look(), probeEveryMs);
  }

  noticed(member: Member, notice: Notice['notice']): void {
    for (const other of this.#known.keys()) {
      // Two cannot listen at one address: the one before has died.
      if (other !== member && other.port === member.port) this.#known.delete(other);
    }
    if (notice === 'left') this.#known.delete(member);
    else this.#known.set(member, { isLeaving: notice === 'leaving', answeredAt: performance.now() });
    this.#look();
  }

  /** What the store has may not be what was written. */
  doubt(): void {
    this.#isStale = true;
  }

  /** Resolves when the store has what is wanted now. */
  async written(): Promise<void> {
    for (;;) {
      await this.#writing;
      if (this.#isWritten(this.#wanted())) return;
      this.#look();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
  }

  #look(): void {
    const wanted = this.#wanted();
    if (this.#writing !== undefined || this.#isWritten(wanted)) return;
    this.#writing = this.#write(wanted).finally(() => (this.#writing = undefined));
  }

  #wanted(): readonly PublishedEntry[] {
    const now = performance.now();
    for (const [member, known] of this.#known) {
      if (member.answers) known.answeredAt = now;
      else if (now - known.answeredAt > awayMs && !member.isRunning) this.#known.delete(member);
    }
    return [...this.#known]
      .filter(([, { answeredAt }]) => now - answeredAt <= awayMs)
      .map(([{ who, port }, { isLeaving }]) => ({ name: who, port, isLeaving }));
  }

  #isWritten(wanted: readonly PublishedEntry[]): boolean {
    return (
      !this.#isStale &&
      wanted.length === this.#written.size &&
      wanted.every(({ name, isLeaving }) => this.#written.get(name)?.isLeaving === isLeaving)
    );
  }

  /** Never rejects: the next look tries again. */
  async #write(wanted: readonly PublishedEntry[]): Promise<void> {
    this.#isStale = false;
    try {
      await this.#store.publish(wanted);
    } catch {
      this.#isStale = true;
      return;
    }
    const before = this.#written;
    this.#written = new Map(wanted.map((entry) => [entry.name, entry]));
    for (const { name, isLeaving } of wanted) {
      if (before.get(name)?.isLeaving !== isLeaving)
        this.#history.write({ kind: 'state', value: isLeaving ? 'draining' : 'published' }, name);
    }
    const left = new Set([...before.keys()].filter((name) => !this.#written.has(name)));
    for (const name of left) {
      this.#history.write({ kind: 'state', value: 'withdrawn' }, name);
      if (before.get(name)?.isLeaving === true) this.#history.write({ kind: 'drained' }, name);
    }
  }
}
