import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onProcessEnd } from '../servers/exit-cleanup.ts';
import type { ChaosStore, PublishedEntry, StoreTraits } from './chaos-store.ts';
import { service } from './pace.ts';

/** A file that somebody writes. To kill it is to delete it, to wipe it is to leave half of it. */
export const fileStore: StoreTraits = {
  faults: { kill: true, wipe: true, freeze: false, links: false },
  saysStale: false, // what was read once is served
  start: async () => new FileStore(),
};

class FileStore implements ChaosStore {
  readonly addresses = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'sd-chaos-file-'));
  readonly #file = join(this.#folder, 'services.json');
  readonly #forget = onProcessEnd(() => this.#remove());
  #isAway = false;
  readonly #bad = new Set<string>();
  #entries: readonly PublishedEntry[] = [];

  readonly badEntries = {
    write: async (key: string): Promise<void> => this.#edit(() => this.#bad.add(key)),
    remove: async (key: string): Promise<void> => this.#edit(() => this.#bad.delete(key)),
  };

  constructor() {
    this.#write();
  }

  placeAt() {
    return { store: 'static', file: this.#file } as const;
  }

  async kill(): Promise<void> {
    this.#isAway = true;
    rmSync(this.#file);
  }

  async start({ keepData }: { readonly keepData: boolean }): Promise<void> {
    const text = this.#text();
    if (!keepData) writeFileSync(this.#file, text.slice(0, text.length / 2));
    this.#isAway = false;
    if (keepData) this.#write();
  }

  freeze(): void {
    throw new Error('A file cannot be frozen');
  }

  thaw(): void {
    throw new Error('A file cannot be frozen');
  }

  async publish(entries: readonly PublishedEntry[]): Promise<void> {
    this.#edit(() => (this.#entries = entries));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    this.#remove();
  }

  #edit(change: () => void): void {
    if (this.#isAway) throw new Error('There is no file');
    change();
    this.#write();
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, this.#text());
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Who leaves is no longer listed, as there is no word for it that its writers would use. */
  #text(): string {
    const bad = [...this.#bad].map((id) => ({ id, host: '127.0.0.1' }));
    const instances = this.#entries
      .filter(({ isLeaving }) => !isLeaving)
      .map(({ name, port }) => ({ id: name, host: '127.0.0.1', port }));
    return JSON.stringify({ services: { [service]: [...bad, ...instances] } });
  }

  #remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
