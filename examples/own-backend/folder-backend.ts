import {
  AccessDeniedError,
  BackendUnavailableError,
  ClosedError,
  encodeInstance,
  MalformedEntries,
  parseInstance,
  Registrations,
  SharedWatches,
  sleep,
  systemClock,
  validateServiceName,
  type BackendReadOptions,
  type Clock,
  type HeldLease,
  type Lease,
  type LeaseLoss,
  type Placement,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
  type WatchFeed,
} from '@sd/core';
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface FolderBackendOptions {
  /** Must exist. All processes that share it are on one machine, and so on one clock. */
  readonly folder: string;
  /** How often a watched service is read, in milliseconds. Default: 250. */
  readonly pollMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Services in a folder, for the processes of one machine: `orders/orders-1.json` is an instance, and the time of its last
 * change is when it expires. What it shows is how little a backend is, and what it must not forget.
 */
export class FolderBackend implements RegistryBackend {
  readonly name = 'folder';
  readonly malformed = new MalformedEntries();
  readonly #folder: string;
  readonly #pollMs: number;
  readonly #clock: Clock;
  readonly #watches: SharedWatches;
  readonly #registrations: Registrations<InstanceFile>;

  constructor({ folder, pollMs = 250, clock = systemClock }: FolderBackendOptions) {
    this.#folder = folder;
    this.#pollMs = pollMs;
    this.#clock = clock;
    this.#watches = new SharedWatches((feed) => void this.#feed(feed));
    this.#registrations = new Registrations({
      owner: 'The folder backend',
      clock,
      place: async (instance, ttl) => {
        const file = new InstanceFile(this.#fileOf(instance), ttl);
        await asked(file.put(instance));
        return file;
      },
      onHeld: (lease, file) => void this.#keep(lease, file),
      onEnded: (_lease, file) => file.ended.abort(),
    });
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#registrations.assertUsable(signal);
    const names = await asked(readdir(this.#folder));
    const read = await Promise.all(names.map(async (name) => ({ name, instances: await this.#read(name) })));
    return read.filter(({ instances }) => instances.length > 0).map(({ name }) => name);
  }

  async getInstances(
    service: string,
    { signal }: BackendReadOptions = {},
  ): Promise<readonly ServiceInstance[]> {
    this.#registrations.assertUsable(signal);
    return this.#read(validateServiceName(service));
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ServiceInstance[]> {
    return this.#watches.watch(service, signal);
  }

  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    return this.#registrations.register(instance, options);
  }

  async close(): Promise<void> {
    this.#watches.close(new ClosedError('The folder backend'));
    await this.#registrations.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** In sync, or failed: whoever follows the watch begins a new one. There is no retry here. */
  async #feed(feed: WatchFeed): Promise<void> {
    try {
      while (!feed.signal.aborted) {
        feed.push(await this.#read(feed.service));
        await sleep(this.#clock, this.#pollMs, { signal: feed.signal });
      }
    } catch (error) {
      feed.fail(error);
    }
  }

  /** A folder that cannot be read has not answered. That must not look like a service without instances. */
  async #read(service: string): Promise<readonly ServiceInstance[]> {
    const names = await asked(unlessMissing(readdir(join(this.#folder, service))));
    if (names === undefined) {
      await asked(access(this.#folder));
      return [];
    }
    const files = names.filter((name) => name.endsWith('.json'));
    const instances = await Promise.all(files.map((name) => this.#instance(service, name)));
    return instances.filter((instance) => instance !== undefined);
  }

  /** Anybody may have written it, so it is only believed once it is parsed. */
  async #instance(service: string, name: string): Promise<ServiceInstance | undefined> {
    const [text, stats] = await asked(contentOf(join(this.#folder, service, name)));
    if (text === undefined || stats === undefined) return undefined; // it left meanwhile
    const { instance, problem } = parseInstance(text.slice(text.indexOf('\n') + 1), { service });
    if (instance === undefined) this.malformed.report({ service, key: name, problem });
    return stats.mtimeMs > Date.now() ? instance : undefined;
  }

  async #keep(lease: HeldLease, file: InstanceFile): Promise<void> {
    while (true) {
      // The signal ends the wait early, when the lease is not held any more.
      await sleep(this.#clock, lease.ttl / 3, { signal: file.ended.signal }).catch(() => undefined);
      if (!lease.isHeld) return;
      const startedAt = this.#clock.monotonic();
      try {
        const loss = await file.renew();
        if (loss === undefined) lease.renewed(startedAt);
        else lease.drop(loss);
      } catch {
        // The store is away: the next renewal finds out whether the lease is still there.
      }
    }
  }

  #fileOf({ service, id }: ServiceInstance): string {
    return join(this.#folder, service, `${id}.json`);
  }
}

/** What one registration has in the store: the first line says whose it is, the rest is the instance. */
class InstanceFile implements Placement {
  readonly ended = new AbortController();
  readonly #path: string;
  readonly #ttl: number;
  readonly #owner: string = randomUUID();

  constructor(path: string, ttl: number) {
    this.#path = path;
    this.#ttl = ttl;
  }

  /** Under another name first, so that nobody reads half of it. */
  async put(instance: ServiceInstance): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const draft = `${this.#path}.${this.#owner}`;
    await writeFile(draft, `${this.#owner}\n${encodeInstance(instance)}`);
    await utimes(draft, new Date(), this.#expiry());
    await rename(draft, this.#path);
  }

  async renew(): Promise<LeaseLoss | undefined> {
    const loss = await this.#loss();
    if (loss === undefined) await utimes(this.#path, new Date(), this.#expiry());
    return loss;
  }

  async write(instance: ServiceInstance): Promise<LeaseLoss | undefined> {
    const loss = await asked(this.#loss());
    if (loss === undefined) await asked(this.put(instance));
    return loss;
  }

  async remove(): Promise<void> {
    if ((await asked(this.#loss())) === undefined) await asked(rm(this.#path, { force: true }));
  }

  async #loss(): Promise<LeaseLoss | undefined> {
    const [text, stats] = await contentOf(this.#path);
    if (text === undefined || stats === undefined || stats.mtimeMs <= Date.now()) return 'gone';
    return text.startsWith(`${this.#owner}\n`) ? undefined : 'replaced';
  }

  #expiry(): Date {
    return new Date(Date.now() + this.#ttl);
  }
}

/** Both undefined, or one of them, when it leaves at that moment. */
function contentOf(path: string): Promise<[string | undefined, Stats | undefined]> {
  return Promise.all([unlessMissing(readFile(path, 'utf8')), unlessMissing(stat(path))]);
}

/** Errors of the store become ours: what may work later, and what will not before somebody changes something. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    if (code === 'EACCES' || code === 'EPERM') throw new AccessDeniedError('folder', message, { cause });
    throw new BackendUnavailableError('folder', message, { cause });
  }
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
