import type { Agent } from 'node:http';
import type { Clock, TlsOptions } from '@sd/core';

/** Where the API server is, and what it is told about who asks. */
export interface Access {
  readonly server: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions & { readonly rejectUnauthorized?: boolean };
  /** For a server behind a proxy. */
  readonly agent?: Agent;
  /** The one that these credentials belong to. */
  readonly namespace?: string;
}

/** Reads it. @param afresh whether what was read before has been refused */
export type AccessSource = (afresh: boolean) => Promise<Access>;

/** Tokens in files are rotated long before they expire; client-go looks as often. */
const longestMs = 60_000;

/** Access as it was read last, and again when that is a minute old or was refused. */
export class CachedAccess {
  readonly #source: AccessSource;
  readonly #clock: Clock;
  #reading: Promise<Access> | undefined;
  #readAt = -Infinity;

  constructor(source: AccessSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get(): Promise<Access> {
    const isFresh = this.#clock.monotonic() - this.#readAt < longestMs;
    return (isFresh ? this.#reading : undefined) ?? this.#read(false);
  }

  /** After the server has refused `refused`; reads once for all who were. */
  async renew(refused: Access): Promise<Access> {
    const reading = this.get();
    const current = await reading;
    if (current !== refused) return current;
    return this.#reading === reading ? this.#read(true) : this.get();
  }

  #read(afresh: boolean): Promise<Access> {
    this.#readAt = this.#clock.monotonic();
    const reading = this.#source(afresh);
    this.#reading = reading;
    reading.catch(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    return reading;
  }
}
