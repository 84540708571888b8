import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { StoredSlice } from './kubernetes-objects.ts';

export interface StoreChange {
  readonly revision: number;
  readonly key: string;
  readonly before: StoredSlice | undefined;
  /** Undefined: deleted. */
  readonly after: StoredSlice | undefined;
}

/** Where the numbering of a new cluster is by the time somebody can use it. */
const firstRevision = 200;

/** What etcd is to an API server: the objects, one revision for all, and the changes since the last compaction. */
export class KubernetesStore {
  readonly #file: string | undefined;
  readonly #listeners = new Set<(change: StoreChange) => void>();
  #objects = new Map<string, StoredSlice>();
  #revision = firstRevision;
  /** The objects at `#oldest`, and what has happened since. */
  #base = new Map<string, StoredSlice>();
  #oldest = firstRevision;
  #history: StoreChange[] = [];

  /** @param file that the changes are appended to, and read from at the start; none: nothing outlives the process */
  constructor(file?: string) {
    this.#file = file;
    if (file !== undefined && existsSync(file)) this.#load(readFileSync(file, 'utf8'));
  }

  get revision(): number {
    return this.#revision;
  }

  /** Changes before it are forgotten. */
  get oldest(): number {
    return this.#oldest;
  }

  get(key: string): StoredSlice | undefined {
    return this.#objects.get(key);
  }

  /** @param make given the revision that the object will have */
  put(key: string, make: (revision: number) => StoredSlice): StoredSlice {
    const after = make(this.#revision + 1);
    this.#change(key, after);
    return after;
  }

  delete(key: string): StoredSlice | undefined {
    const before = this.#objects.get(key);
    if (before !== undefined) this.#change(key, undefined);
    return before;
  }

  /** Sorted by key. @param revision undefined for now; not before `oldest` */
  entries(revision = this.#revision): readonly (readonly [string, StoredSlice])[] {
    const objects = revision === this.#revision ? this.#objects : this.#at(revision);
    return [...objects].sort(([left], [right]) => (left < right ? -1 : 1));
  }

  since(revision: number): readonly StoreChange[] {
    return this.#history.filter((change) => change.revision > revision);
  }

  onChange(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Forgets the changes until now. */
  compact(): void {
    this.#base = new Map(this.#objects);
    this.#oldest = this.#revision;
    this.#history = [];
  }

  /** Something else than slices was written so many times. */
  skip(revisions: number): void {
    this.#revision += revisions;
  }

  /** All is lost, or an old backup was restored: nobody who watches is told. */
  restore(revision = firstRevision, objects: ReadonlyMap<string, StoredSlice> = new Map()): void {
    this.#objects = new Map(objects);
    this.#revision = revision;
    this.compact();
  }

  #change(key: string, after: StoredSlice | undefined): void {
    this.#revision += 1;
    const revision = this.#revision;
    const change: StoreChange = { revision, key, before: this.#objects.get(key), after };
    this.#apply(this.#objects, change);
    this.#history.push(change);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify({ revision, key, after })}\n`);
    for (const listener of this.#listeners) listener(change);
  }

  #at(revision: number): ReadonlyMap<string, StoredSlice> {
    const objects = new Map(this.#base);
    for (const change of this.#history) if (change.revision <= revision) this.#apply(objects, change);
    return objects;
  }

  #apply(objects: Map<string, StoredSlice>, { key, after }: StoreChange): void {
    if (after === undefined) objects.delete(key);
    else objects.set(key, after);
  }

  /** A restart forgets the changes, as the watch cache of an API server does. */
  #load(text: string): void {
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const change = JSON.parse(line) as StoreChange;
      this.#apply(this.#objects, change);
      this.#revision = change.revision;
    }
    this.compact();
  }
}
