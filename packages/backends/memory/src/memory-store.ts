import {
  followOptions,
  globalLogger,
  parseInstance,
  sameInstance,
  systemClock,
  type Clock,
  type LeaseLossReason,
  type MalformedEntry,
  type ParsedRecord,
  type ServiceInstance,
  validate,
} from '@sd/core';
import * as v from 'valibot';
import { Deadlines } from './deadlines.ts';

export interface MemoryStoreOptions {
  /** Decides when records expire. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** What the store holds of a service at one moment. Immutable, and the same object until something changes. */
export interface StoreSnapshot {
  readonly instances: readonly ServiceInstance[];
  readonly malformed: readonly MalformedEntry[];
}

/** Whoever holds it may renew a record, change it and take it out. */
export interface StoreLease {
  /** Milliseconds after the last renewal at which the record expires. */
  readonly ttl: number;
  /** Called at once when the record is gone or belongs to somebody else. */
  onLost(reason: LeaseLossReason): void;
}

/**
 * The server of the memory backend: records by service and key, which is the instance's id. Several `MemoryBackend`s
 * may be its clients, and so may a test or a tool that plays the stranger with `write()` and `delete()`.
 */
export class MemoryStore {
  readonly clock: Clock;
  readonly #services = new Map<string, StoredService>();
  readonly #expiries: Deadlines<Entry>;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: MemoryStoreOptions = {}) {
    const { clock = systemClock } = validate('MemoryStore', optionsSchema, options);
    this.clock = clock;
    this.#expiries = new Deadlines(clock, (entries) => this.#expire(entries));
  }

  /** Names of the services that have an instance. */
  services(): readonly string[] {
    return [...this.#services.keys()].filter((service) => this.read(service).instances.length > 0);
  }

  read(service: string): StoreSnapshot {
    return this.#services.get(service)?.read() ?? nothing;
  }

  /** Calls `onChange` after each change of this service. @returns how to stop that */
  subscribe(service: string, onChange: () => void): () => void {
    const stored = this.#service(service);
    stored.listeners.add(onChange);
    return () => {
      if (stored.listeners.delete(onChange)) this.#tidy(stored);
    };
  }

  /**
   * Puts a record in the place of the one that was there, if any, as real stores do: unchecked, whoever it is from.
   * It is parsed once, here; what cannot be read is kept as malformed. A lease that held the place is lost as
   * `replaced`. Without a lease the record stays until somebody deletes it. Nobody is told when nothing changed.
   */
  write(service: string, key: string, record: unknown, lease?: StoreLease): void {
    const stored = this.#service(service);
    const before = stored.entries.get(key);
    const parsed = parseInstance(record, { service, id: key });
    const same = before !== undefined && sameRecord(before.parsed, parsed);
    const entry = { service, key, parsed: same ? before.parsed : parsed, lease };
    stored.entries.set(key, entry);
    if (before !== undefined) this.#expiries.delete(before);
    if (lease !== undefined) this.#expiries.set(entry, this.clock.monotonic() + lease.ttl);
    if (!same) stored.changed();
    if (before?.lease !== lease) before?.lease?.onLost('replaced');
  }

  /** Gives the record its full time again. @returns false when the lease no longer holds it */
  renew(service: string, key: string, lease: StoreLease): boolean {
    const entry = this.#services.get(service)?.entries.get(key);
    if (entry?.lease !== lease) return false;
    this.#expiries.set(entry, this.clock.monotonic() + lease.ttl);
    return true;
  }

  /**
   * Takes a record out: without a lease as a stranger would, and whoever holds it loses it as `deleted`; with a lease
   * only while that lease holds it.
   */
  delete(service: string, key: string, lease?: StoreLease): void {
    const entry = this.#services.get(service)?.entries.get(key);
    if (entry === undefined || (lease !== undefined && entry.lease !== lease)) return;
    this.#remove([entry]);
    if (lease === undefined) entry.lease?.onLost('deleted');
  }

  #expire(entries: readonly Entry[]): void {
    this.#remove(entries);
    for (const { lease } of entries) lease?.onLost('expired');
  }

  #remove(entries: readonly Entry[]): void {
    const changed = new Set<StoredService>();
    for (const entry of entries) {
      const stored = this.#service(entry.service);
      stored.entries.delete(entry.key);
      this.#expiries.delete(entry);
      changed.add(stored);
    }
    for (const stored of changed) {
      stored.changed();
      this.#tidy(stored);
    }
  }

  #service(name: string): StoredService {
    let stored = this.#services.get(name);
    if (stored === undefined) this.#services.set(name, (stored = new StoredService(name)));
    return stored;
  }

  #tidy(stored: StoredService): void {
    const { name, entries, listeners } = stored;
    // A subscriber that was just told may have ended, and put another in its place.
    if (this.#services.get(name) !== stored) return;
    if (entries.size === 0 && listeners.size === 0) this.#services.delete(name);
  }
}

const optionsSchema = v.strictObject({ clock: followOptions.entries.clock }, 'an object');

const nothing: StoreSnapshot = Object.freeze({ instances: Object.freeze([]), malformed: Object.freeze([]) });

interface Entry {
  readonly service: string;
  readonly key: string;
  readonly parsed: ParsedRecord;
  readonly lease: StoreLease | undefined;
}

class StoredService {
  readonly name: string;
  readonly entries = new Map<string, Entry>();
  readonly listeners = new Set<() => void>();
  #snapshot: StoreSnapshot | undefined;

  constructor(name: string) {
    this.name = name;
  }

  read(): StoreSnapshot {
    return (this.#snapshot ??= this.#take());
  }

  changed(): void {
    this.#snapshot = undefined;
    for (const listener of this.listeners) {
      try {
        listener();
      } catch (error) {
        globalLogger.error(`A subscriber to the service "${this.name}" threw`, { error });
      }
    }
  }

  #take(): StoreSnapshot {
    const instances: ServiceInstance[] = [];
    const malformed: MalformedEntry[] = [];
    for (const { key, parsed } of this.entries.values()) {
      if (parsed.instance !== undefined) instances.push(parsed.instance);
      else malformed.push({ service: this.name, key, problem: parsed.problem });
    }
    return Object.freeze({ instances: Object.freeze(instances), malformed: Object.freeze(malformed) });
  }
}

function sameRecord(left: ParsedRecord, right: ParsedRecord): boolean {
  return left.instance !== undefined && right.instance !== undefined
    ? sameInstance(left.instance, right.instance)
    : left.problem === right.problem;
}
