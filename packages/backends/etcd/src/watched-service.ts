import type { MalformedEntries, ParsedRecord, ServiceInstance, WatchFeed } from '@sd/core';
import type { IKeyValue } from 'etcd3';
import type { EtcdCodec, EtcdEntry } from './codec.ts';
import { keysBelow } from './key-range.ts';
import { watchRange, type WatchSources } from './range-watch.ts';

export interface ServiceReaderOptions {
  readonly prefix: string;
  readonly codec: EtcdCodec;
  readonly malformed: MalformedEntries;
}

/** Feeds the watches of a service with what etcd has of it. */
export function feedService(
  feed: WatchFeed,
  { reader, ...sources }: WatchSources & { readonly reader: ServiceReader },
): void {
  const { service, signal } = feed;
  const prefix = reader.prefixOf(service);
  /** By key. */
  const instances = new Map<string, ServiceInstance>();
  watchRange({
    ...sources,
    range: keysBelow(prefix),
    context: { service, signal, keys: prefix },
    listener: {
      onSnapshot(entries) {
        instances.clear();
        for (const [key, instance] of reader.read(service, entries)) instances.set(key, instance);
        feed.push(instances.values());
      },
      onEvents(events) {
        for (const { type, kv } of events) {
          const key = kv.key.toString();
          const [read] = type === 'Put' ? reader.read(service, [kv]) : [];
          if (read === undefined) instances.delete(key);
          else instances.set(key, read[1]);
        }
        feed.push(instances.values());
      },
      onLost: (error) => feed.fail(error),
    },
  });
}

/** Makes instances of what is in etcd. */
export class ServiceReader {
  readonly #options: ServiceReaderOptions;

  constructor(options: ServiceReaderOptions) {
    this.#options = options;
  }

  prefixOf(service: string): string {
    return `${this.#options.prefix}${service}/`;
  }

  /** Those that can be read, by key; the others are reported. */
  read(service: string, entries: readonly Pick<IKeyValue, 'key' | 'value'>[]): Map<string, ServiceInstance> {
    const { malformed } = this.#options;
    const prefixLength = this.prefixOf(service).length;
    const instances = new Map<string, ServiceInstance>();
    for (const { key: bytes, value } of entries) {
      const key = bytes.toString();
      const entry = { service, id: key.slice(prefixLength), value: value.toString() };
      const { instance, problem } = this.#parse(entry);
      if (instance === undefined) malformed.report({ service, key, problem });
      else instances.set(key, instance);
    }
    return instances;
  }

  /** A codec may be of users, and what it threw would be thrown at etcd's stream of watches. */
  #parse(entry: EtcdEntry): ParsedRecord {
    const { codec } = this.#options;
    try {
      return codec.parse(entry);
    } catch (error) {
      return { problem: `the codec "${codec.name}" failed: ${String(error)}` };
    }
  }
}
