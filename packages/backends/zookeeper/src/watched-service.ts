import { basename } from 'node:path/posix';
import { onAbort, type ServiceInstance, type WatchFeed } from '@sd/core';
import type { Abilities } from './abilities.ts';
import type { Connection } from './protocol/connection.ts';
import { addRecursiveWatch, exists, removeWatches } from './protocol/requests.ts';
import { hasCode } from './protocol/zookeeper-error.ts';
import type { Reader } from './reader.ts';
import type { Tree } from './tree.ts';
import { isDenial, zookeeperError } from './zookeeper-errors.ts';

export interface WatchedServiceOptions {
  readonly reader: Reader;
  readonly tree: Tree;
  readonly abilities: Abilities;
}

/**
 * One service as ZooKeeper has it: watched first and then read, so that nothing falls in between. What is told to have
 * changed is read again, one reading after the other, so that the last that is heard is the newest; what is told to be
 * gone too, as it may have been replaced in the same moment. A lost connection ends it.
 *
 * Where there are no recursive watches, the list of children and each node are watched by themselves, anew with each
 * reading.
 */
export class WatchedService {
  readonly #feed: WatchFeed;
  readonly #options: WatchedServiceOptions;
  readonly #path: string;
  readonly #instances = new Map<string, ServiceInstance>();
  /** Ids that are to be read. */
  readonly #changed = new Set<string>();
  /** Whether the list of children is to be read. */
  #isListChanged = true;
  #isReading = true;

  constructor(feed: WatchFeed, options: WatchedServiceOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#path = options.tree.pathOf(feed.service);
  }

  start(): void {
    void this.#start();
  }

  async #start(): Promise<void> {
    const { reader, abilities } = this.#options;
    const { signal } = this.#feed;
    const denial = reader.denialOf(this.#path);
    if (denial !== undefined) {
      this.#feed.fail(zookeeperError(denial, this.#feed.service));
      return;
    }
    try {
      const connection = await reader.connection();
      if (signal.aborted) return;
      const isRecursive = abilities.hasRecursiveWatch;
      const forget = reader.watch(this.#path, {
        onChange: (path) => this.#onChange(path, connection, isRecursive),
        onLost: (error) => this.#fail(error),
      });
      onAbort(signal, () => {
        if (forget() && isRecursive) this.#unwatch(connection);
      });
      const watching = isRecursive
        ? abilities.send(connection, addRecursiveWatch(this.#path))
        : Promise.resolve();
      await Promise.all([watching, this.#read(connection, isRecursive)]);
    } catch (error) {
      this.#fail(error);
    }
  }

  #onChange(path: string, connection: Connection, isRecursive: boolean): void {
    if (path !== this.#path) this.#changed.add(basename(path));
    else if (!isRecursive) this.#isListChanged = true;
    if (this.#isReading) return;
    this.#isReading = true;
    // What comes in one packet is read with one request.
    queueMicrotask(() => {
      this.#read(connection, isRecursive).catch((error: unknown) => this.#fail(error));
    });
  }

  /** Until nothing is left to read. */
  async #read(connection: Connection, isRecursive: boolean): Promise<void> {
    const { tree } = this.#options;
    const { service, signal } = this.#feed;
    while (!signal.aborted && (this.#isListChanged || this.#changed.size > 0)) {
      if (this.#isListChanged) {
        this.#isListChanged = false;
        this.#relist(await this.#listChildren(connection, isRecursive));
      }
      const ids = [...this.#changed];
      this.#changed.clear();
      const instances =
        ids.length === 0
          ? []
          : await tree.readInstances(connection, service, ids, {
              known: this.#instances,
              watch: !isRecursive,
            });
      for (const [index, id] of ids.entries()) {
        const instance = instances[index];
        if (instance === undefined) this.#instances.delete(id);
        else this.#instances.set(id, instance);
      }
      this.#feed.push(this.#instances.values());
    }
    this.#isReading = false;
  }

  #relist(children: readonly string[]): void {
    const present = new Set(children);
    for (const id of this.#instances.keys()) if (!present.has(id)) this.#instances.delete(id);
    for (const id of present) if (!this.#instances.has(id)) this.#changed.add(id);
  }

  /** The list of a node that is not there cannot be watched; that it begins to be can. */
  async #listChildren(connection: Connection, isRecursive: boolean): Promise<readonly string[]> {
    const { tree } = this.#options;
    const children = await tree.listChildren(connection, this.#path, !isRecursive);
    if (isRecursive || children.length > 0) return children;
    const isThere = await connection.send(exists(this.#path, true)).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'NoNode')) return false;
        throw error;
      },
    );
    return isThere ? tree.listChildren(connection, this.#path, true) : [];
  }

  #fail(error: unknown): void {
    if (isDenial(error)) this.#options.reader.deny(this.#path, error);
    this.#feed.fail(zookeeperError(error, this.#feed.service));
  }

  #unwatch(connection: Connection): void {
    const { abilities } = this.#options;
    if (!connection.isOpen || !abilities.hasRemoveWatches) return;
    // It failed: then so has the connection, or the server knows no such watch. Nobody is there to hear what it tells.
    abilities.send(connection, removeWatches(this.#path)).catch(() => undefined);
  }
}
