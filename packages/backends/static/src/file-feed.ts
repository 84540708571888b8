import { watch, type FSWatcher } from 'node:fs';
import { basename } from 'node:path';
import type { Clock, DiscoveryLogger, Timer } from '@sd/core';
import type { Reading } from './readings.ts';

export interface FileFeedOptions {
  /** What is there now; never throws. */
  readonly read: () => Promise<Reading>;
  /** Where changes show. */
  readonly folder: string;
  /** Whether a file of this name is one of those that are followed. */
  readonly concerns: (name: string) => boolean;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
  /** Called with each reading that differs from the one before, once all has come to rest. */
  readonly onChange: (reading: Reading) => void;
}

/** A change counts once two readings this far apart agree: a half-written file is not news. */
const settleMs = 25;

/** However often it is touched, it is looked at so soon after the first time. */
const maxDelayMs = 10 * settleMs;

/**
 * Follows a file, or several of a folder. The folder is watched, because a watch on the file itself goes deaf at the
 * first atomic rename and when Kubernetes swaps a ConfigMap; and it is read every `pollMs`, because a folder watch is deaf too where the file
 * is a link to elsewhere, on network file systems, and when the system has no watches left.
 */
export class FileFeed {
  readonly #options: FileFeedOptions;
  #known = '';
  #candidate = '';
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #check: Promise<void> | undefined;
  /** When it was first touched since it was looked at last. */
  #touchedAt: number | undefined;
  /** Since the folder itself was moved or deleted: what is watched is not what is there. */
  #isMoved = false;
  #closed = false;

  constructor(options: FileFeedOptions) {
    this.#options = options;
  }

  /** What is there now. Never throws. */
  read(): Promise<Reading> {
    return this.#options.read();
  }

  /** Follows it from this reading on. */
  start({ fingerprint }: Reading): void {
    this.#known = fingerprint;
    this.#listen();
    this.#checkIn(settleMs); // for a change between the reading and now
  }

  /** Idempotent. Afterwards there is no timer, no handle, and no reading under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watcher?.close();
    await this.#check;
  }

  #checkIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      this.#touchedAt = undefined;
      this.#check = this.#compare();
    }, delayMs);
  }

  async #compare(): Promise<void> {
    const reading = await this.read();
    if (this.#closed) return;
    const { fingerprint } = reading;
    const changed = fingerprint !== this.#known;
    const settled = fingerprint === this.#candidate;
    this.#candidate = fingerprint;
    this.#checkIn(this.#touchedAt !== undefined || (changed && !settled) ? settleMs : this.#options.pollMs);
    if (this.#isMoved && reading.error === undefined) this.#listen();
    if (!changed || !settled) return;
    this.#known = fingerprint;
    this.#listen(); // the folder may have been replaced together with the file
    this.#options.onChange(reading);
  }

  #listen(): void {
    this.#watcher?.close();
    this.#isMoved = false;
    const { folder, concerns } = this.#options;
    try {
      this.#watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === basename(folder)) this.#isMoved = true;
        // Kubernetes swaps a ConfigMap by renaming `..data`, which its files are links into.
        if (this.#isMoved || name === null || name.startsWith('..') || concerns(name)) this.#touch();
      });
      this.#watcher.on('error', (error) => this.#deafened(error));
    } catch (error) {
      this.#deafened(error);
    }
  }

  #touch(): void {
    const now = this.#options.clock.monotonic();
    this.#touchedAt ??= now;
    // Without a timer it is being looked at, and will be again.
    if (this.#timer !== undefined && now + settleMs <= this.#touchedAt + maxDelayMs) this.#checkIn(settleMs);
  }

  #deafened(error: unknown): void {
    this.#watcher?.close();
    const { folder, pollMs, logger } = this.#options;
    logger.warn(`Cannot watch the folder "${folder}"; reading it every ${pollMs} ms instead`, { error });
  }
}
