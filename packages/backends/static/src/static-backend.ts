import { basename, dirname, resolve } from 'node:path';
import {
  abortable,
  BackendUnavailableError,
  ClosedError,
  globalLogger,
  Latest,
  MalformedEntries,
  onAbort,
  systemClock,
  unfailing,
  validateServiceName,
  type BackendReadOptions,
  type DiscoveryBackend,
  type DiscoveryLogger,
  type MalformedReport,
} from '@sd/core';
import { FileFeed, type FileFeedOptions } from './file-feed.ts';
import { readFolder, readOneFile, type Reading } from './readings.ts';
import { servicesFromEnv } from './services-env.ts';
import { parseFile, servicesIn } from './services-file.ts';
import { isServiceFile, readFolderServices } from './services-folder.ts';
import { readFileServices, readGivenServices, type Services, type Snapshot } from './services.ts';
import {
  validateOptions,
  type StaticBackendOptions,
  type StaticFileOptions,
  type StaticFolderOptions,
} from './static-options.ts';

/**
 * Services that somebody wrote down: in code, in environment variables, or in a JSON or YAML file or a folder of them
 * that is followed while it changes.
 *
 * A file is first read when it is first needed; until it can be read, reads and watches fail. From then on the last
 * good content is served, whatever becomes of the file: a bad edit or a deletion is reported to the logger, and the
 * next good edit is picked up.
 */
export class StaticBackend implements DiscoveryBackend {
  readonly name = 'static';
  readonly #malformed: MalformedEntries;
  readonly #logger: DiscoveryLogger;
  readonly #feed: FileFeed | undefined;
  readonly #isFolder: boolean = false;
  readonly #watches = new Set<Watch>();
  readonly #closed = new AbortController();
  #services: Services = new Map();
  #loaded = false;
  #loading: Promise<Services> | undefined;

  /** @throws {ConfigValidationError} naming each wrong option, or each mistake in `services` */
  constructor(options: StaticBackendOptions) {
    validateOptions(options);
    if (options.services !== undefined || options.env !== undefined) {
      this.#logger = globalLogger;
      this.#services = readGivenServices(options.services ?? servicesFromEnv(options.env, options));
    } else {
      const { pollMs = 5_000, clock = systemClock, logger = globalLogger } = options;
      const onChange = (reading: Reading): void => this.#changed(reading);
      this.#logger = unfailing(() => logger);
      this.#isFolder = options.folder !== undefined;
      this.#feed = new FileFeed({ ...sourceOf(options), pollMs, clock, logger: this.#logger, onChange });
    }
    this.#malformed = new MalformedEntries(this.#logger);
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    return [...(await this.#current(signal)).keys()];
  }

  async getInstances(service: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    validateServiceName(service);
    return (await this.#current(signal)).get(service) ?? nobody;
  }

  async *watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    validateServiceName(service);
    const watch: Watch = { service, snapshots: new Latest() };
    const forget = onAbort(signal, () => watch.snapshots.end());
    try {
      const services = await this.#current(signal);
      this.#closed.signal.throwIfAborted();
      this.#watches.add(watch);
      watch.snapshots.push(services.get(service) ?? nobody);
      yield* watch.snapshots;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      forget();
      this.#watches.delete(watch);
    }
  }

  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      const closed = new ClosedError('The static backend');
      this.#closed.abort(closed);
      for (const { snapshots } of this.#watches) snapshots.fail(closed);
    }
    await this.#loading?.catch(() => undefined); // those who asked for it have been told
    await this.#feed?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #current(signal: AbortSignal | undefined): Promise<Services> {
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
    if (this.#feed === undefined || this.#loaded) return this.#services;
    this.#loading ??= this.#load(this.#feed).finally(() => (this.#loading = undefined));
    return abortable(abortable(this.#loading, this.#closed.signal), signal);
  }

  async #load(feed: FileFeed): Promise<Services> {
    const reading = await feed.read();
    this.#services = this.#parse(reading);
    this.#loaded = true;
    feed.start(reading);
    return this.#services;
  }

  #changed(reading: Reading): void {
    const before = this.#services;
    try {
      this.#services = this.#parse(reading);
    } catch (error) {
      this.#logger.warn(`${reading.path} is of no use now; serving its last good content`, { error });
      return;
    }
    for (const { service, snapshots } of this.#watches) {
      const snapshot = this.#services.get(service) ?? nobody;
      if (snapshot !== (before.get(service) ?? nobody)) snapshots.push(snapshot);
    }
  }

  #parse({ path, texts, error }: Reading): Services {
    if (error !== undefined) throw error;
    // One that is just being replaced, or is not mounted any more.
    if (this.#isFolder && texts.length === 0 && this.#services.size > 0) {
      throw new BackendUnavailableError('static', `"${path}" has no file of a service any more`);
    }
    if (this.#isFolder) return readFolderServices(texts, this.#services, this.#malformed);
    const [{ file, text } = { file: '', text: '' }] = texts;
    const parsed = parseFile({ file, text: text ?? '' });
    const found = { services: servicesIn(parsed), locate: parsed.locate };
    return readFileServices(found, this.#services, this.#malformed);
  }
}

/** What is read, and what is watched. */
function sourceOf({
  file,
  folder,
}: StaticFileOptions | StaticFolderOptions): Pick<FileFeedOptions, 'read' | 'folder' | 'concerns'> {
  if (folder !== undefined) {
    const path = resolve(folder);
    return { folder: path, concerns: isServiceFile, read: () => readFolder(path, isServiceFile) };
  }
  const path = resolve(file);
  const concerns = (name: string): boolean => name === basename(path);
  return { folder: dirname(path), concerns, read: () => readOneFile(path) };
}

interface Watch {
  readonly service: string;
  readonly snapshots: Latest<Snapshot>;
}

const nobody: Snapshot = Object.freeze([]);
