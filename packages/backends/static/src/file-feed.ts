import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { BackendUnavailableError, type Clock, type DiscoveryLogger, type Timer } from '@sd/core';

/** What a file was found to be: its text, or why it cannot be read. */
export type Reading = { readonly file: string; readonly fingerprint: string } & (
  | { readonly text: string; readonly error?: never }
  | { readonly text?: never; readonly error: BackendUnavailableError }
);

export interface FileFeedOptions {
  readonly file: string;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
  /** Called with each reading that differs from the one before, once the file has come to rest. */
  readonly onChange: (reading: Reading) => void;
}

/** A change counts once two readings this far apart agree: a half-written file is not news. */
const settleMs = 25;

/** Larger files are refused: they would block the process for seconds. */
const maxBytes = 16 * 1024 * 1024;

/**
 * Follows a file. Its folder is watched, because a watch on the file itself goes deaf at the first atomic rename and
 * when Kubernetes swaps a ConfigMap; and it is read every `pollMs`, because a folder watch is deaf too where the file
 * is a link to elsewhere, on network file systems, and when the system has no watches left.
 */
export class FileFeed {
  readonly #options: FileFeedOptions;
  #known = '';
  #candidate = '';
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #check: Promise<void> | undefined;
  #touched = false;
  #closed = false;

  constructor(options: FileFeedOptions) {
    this.#options = options;
  }

  /** The file as it is now. Never throws. */
  async read(): Promise<Reading> {
    const { file } = this.#options;
    try {
      const about = await stat(file);
      if (!about.isFile()) throw new Error('it is no regular file');
      if (about.size > maxBytes) throw new Error(`it has ${about.size} bytes, at most ${maxBytes} are read`);
      const bytes = await readFile(file);
      const fingerprint = createHash('sha256').update(bytes).digest('base64');
      return { file, fingerprint, text: new TextDecoder().decode(bytes) };
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      const error = new BackendUnavailableError('static', `cannot read "${file}": ${problem}`, { cause });
      return { file, fingerprint: problem, error };
    }
  }

  /** Follows the file from this reading on. */
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
      this.#touched = false;
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
    this.#checkIn(this.#touched || (changed && !settled) ? settleMs : this.#options.pollMs);
    if (!changed || !settled) return;
    this.#known = fingerprint;
    this.#listen(); // the folder may have been replaced together with the file
    this.#options.onChange(reading);
  }

  #listen(): void {
    this.#watcher?.close();
    const { file } = this.#options;
    try {
      this.#watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
        // Kubernetes swaps a ConfigMap by renaming `..data`, which its files are links into.
        if (name === null || name === basename(file) || name.startsWith('..')) this.#touch();
      });
      this.#watcher.on('error', (error) => this.#deafened(error));
    } catch (error) {
      this.#deafened(error);
    }
  }

  #touch(): void {
    if (this.#timer === undefined) this.#touched = true;
    else this.#checkIn(settleMs);
  }

  #deafened(error: unknown): void {
    this.#watcher?.close();
    const { file, pollMs, logger } = this.#options;
    logger.warn(`Cannot watch the folder of "${file}"; reading it every ${pollMs} ms instead`, { error });
  }
}
