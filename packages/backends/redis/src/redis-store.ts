import { randomBytes } from 'node:crypto';
import type { LeaseLossReason } from '@sd/core';
import type { Connection } from './connection.ts';
import { scripts } from './script.ts';
import { indexKey, serviceKeys, type ServiceKeys } from './service-keys.ts';

/** What is read of a service: its version, and its records unless they are as they were at the known version. */
export interface Reading {
  readonly version: string;
  /** Milliseconds until the next lease could end; undefined if there is none. */
  readonly nextExpiryMs: number | undefined;
  readonly records:
    | {
        /** JSON by id. */
        readonly alive: ReadonlyMap<string, string>;
        /** Ids of records that nobody holds. */
        readonly strays: readonly string[];
        /** Whether it also has some that have expired, which would be alive again if its clock went back. */
        readonly expired: boolean;
      }
    | undefined;
}

export interface LostRecord {
  readonly id: string;
  readonly reason: Extract<LeaseLossReason, 'replaced' | 'store-lost'> | 'gone';
}

/** What this backend asks of Redis, and what the answers mean. */
export class RedisStore {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #db: number;
  /** The owner of what we register. */
  readonly #client = randomBytes(9).toString('base64url');
  /** Requests are numbered: one that was given up and arrives late does not undo a later one. */
  #sequence = 0;
  /** Services that are about to be touched, by ttl. */
  readonly #touching = new Map<number, { readonly services: Set<string>; readonly done: Promise<void> }>();

  constructor(connection: Connection, { prefix, db }: { readonly prefix: string; readonly db: number }) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#db = db;
  }

  /** For the next write. */
  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  keysOf(service: string): ServiceKeys {
    return serviceKeys(this.#prefix, service, this.#db);
  }

  /** Puts a record in the place of the one that was there, if any; an update does so only while it is ours. */
  async write(
    how: 'register' | 'update',
    record: {
      readonly service: string;
      readonly id: string;
      readonly json: string;
      readonly ttl: number;
      readonly sequence: number;
    },
  ): Promise<'ok' | 'gone' | 'replaced'> {
    const { service, id, json, ttl, sequence } = record;
    const { keys, channel } = this.keysOf(service);
    const args = [channel, this.#client, sequence, ttl, how, id, json];
    const reply = await this.#connection.run(scripts.register, keys, args, { service });
    return reply === 'gone' || reply === 'replaced' ? reply : 'ok';
  }

  /** Gives records their full time again. @returns those that we no longer hold */
  async renew(service: string, ttl: number, ids: readonly string[]): Promise<readonly LostRecord[]> {
    return (await Promise.all(chunks(ids).map((some) => this.#renew(service, ttl, some)))).flat();
  }

  async #renew(service: string, ttl: number, ids: readonly string[]): Promise<readonly LostRecord[]> {
    const { keys, channel } = this.keysOf(service);
    const args = [channel, this.#client, ttl, ...ids];
    const flat = strings(await this.#connection.run(scripts.renew, keys, args, { service }));
    return pairs(flat).map(([id, reason]) => ({
      id,
      reason: reason === 'replaced' || reason === 'store-lost' ? reason : 'gone',
    }));
  }

  /** Takes a record out, if it is still ours. @param sequence of the last write: a later one is not taken back */
  async remove(service: string, id: string, sequence: number): Promise<void> {
    const { keys, channel } = this.keysOf(service);
    const args = [channel, this.#client, sequence, id];
    await this.#connection.run(scripts.release, keys, args, { service });
  }

  /** @param known the version of which the records are known; empty for none */
  async read(service: string, known: string, signal?: AbortSignal): Promise<Reading> {
    const { keys } = this.keysOf(service);
    const reply = list(await this.#connection.run(scripts.read, keys, [known], { service, signal }));
    const [version, left, alive, strays, expired] = reply;
    const nextExpiryMs = Number(textOf(left) || -1);
    return {
      version: textOf(version),
      // What is no number would be asked for again at once, and again.
      nextExpiryMs: nextExpiryMs >= 0 ? nextExpiryMs : undefined,
      records:
        alive === undefined
          ? undefined
          : {
              alive: new Map(pairs(strings(alive))),
              strays: strings(strays),
              expired: Number(textOf(expired)) > 0,
            },
    };
  }

  /** Says that a service has instances for so long, in milliseconds. What is said in one moment is one request. */
  touch(service: string, ttl: number): Promise<void> {
    let touching = this.#touching.get(ttl);
    if (touching === undefined) {
      const services = new Set<string>();
      const done = Promise.resolve().then(() => {
        this.#touching.delete(ttl);
        return this.#touch([...services], ttl);
      });
      this.#touching.set(ttl, (touching = { services, done }));
    }
    touching.services.add(service);
    return touching.done;
  }

  async #touch(services: readonly string[], ttl: number): Promise<void> {
    const keys = [indexKey(this.#prefix)];
    await Promise.all(
      chunks(services).map((some) => this.#connection.run(scripts.touch, keys, [ttl, ...some])),
    );
  }

  /** Names of the services that have instances, and of those where something else is in the place of the leases. */
  async list(
    signal?: AbortSignal,
  ): Promise<{ readonly alive: readonly string[]; readonly broken: readonly string[] }> {
    const names = strings(await this.#connection.run(scripts.list, [indexKey(this.#prefix)], [], { signal }));
    const counts = await Promise.all(
      names.map((service) =>
        this.#connection.run(scripts.count, this.keysOf(service).keys, [], { service, signal }),
      ),
    );
    return {
      alive: names.filter((_, index) => Number(counts[index]) > 0),
      broken: names.filter((_, index) => Number(counts[index]) < 0),
    };
  }
}

/** So many names or ids go into one request: Lua passes on less than 8,000 at once, and nobody should wait for long. */
const chunkSize = 500;

function chunks<T>(items: readonly T[]): (readonly T[])[] {
  const found: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += chunkSize)
    found.push(items.slice(start, start + chunkSize));
  return found;
}

/** Replies are made by our scripts, but may come from anybody's server. */
function list(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}

const strings = (reply: unknown): readonly string[] => list(reply).map(textOf);

const textOf = (reply: unknown): string =>
  typeof reply === 'string' || typeof reply === 'number' ? String(reply) : '';

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) found.push([flat[index]!, flat[index + 1]!]); // both are inside
  return found;
}
