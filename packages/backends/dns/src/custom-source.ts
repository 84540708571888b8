import { abortable, TimeLimit, type Clock } from '@sd/core';
import type { DnsResolver } from './dns-options.ts';
import type { DnsAnswer, DnsSource, SrvRecord } from './dns-source.ts';
import { inFamilies, type Family } from './families.ts';

/** Records from a resolver of the user: it is not trusted to end, nor to keep to its types. */
export class CustomSource implements DnsSource {
  readonly #resolver: DnsResolver;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor(resolver: DnsResolver, timeoutMs: number, clock: Clock) {
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  async srv(name: string, signal: AbortSignal): Promise<DnsAnswer<SrvRecord>> {
    const found = await this.#ask(() => this.#resolver.resolveSrv(name), signal);
    const records = found.map((each) => {
      const [port, priority, weight] = ['port', 'priority', 'weight'].map((field) =>
        numberIn(each, field, 65_535),
      );
      return {
        target: textIn(each, 'name'),
        port: port ?? 0,
        priority: priority ?? 0,
        weight: weight ?? 0,
        addresses: [],
      };
    });
    return { records, ttlMs: leastTtl(found) };
  }

  addresses(name: string, family: Family, signal: AbortSignal): Promise<DnsAnswer<string>> {
    return inFamilies(family, (each) => this.#addressesOf(name, each, signal));
  }

  async #addressesOf(name: string, family: 4 | 6, signal: AbortSignal): Promise<DnsAnswer<string>> {
    const method = family === 4 ? 'resolve4' : 'resolve6';
    const found = await this.#ask(() => this.#resolver[method](name, { ttl: true }), signal);
    const records = found.map((each) => (typeof each === 'string' ? each : textIn(each, 'address')));
    return { records, ttlMs: leastTtl(found) };
  }

  async #ask(ask: () => Promise<unknown>, signal: AbortSignal): Promise<readonly unknown[]> {
    signal.throwIfAborted();
    const tooLate = (): Error => new Error(`the resolver has not answered within ${this.#timeoutMs} ms`);
    const limit = new TimeLimit(this.#clock, this.#timeoutMs, tooLate, signal);
    try {
      const found: unknown = await abortable(Promise.resolve(ask()), limit.signal);
      if (!Array.isArray(found)) throw new Error('the resolver gave no array');
      return found as readonly unknown[]; // the compiler makes it any[]
    } catch (error) {
      if (isAbsence(error)) return [];
      throw error;
    } finally {
      limit.end();
    }
  }
}

/** The name does not exist, or has no record of this type. */
function isAbsence(error: unknown): boolean {
  const code: unknown = Reflect.get(Object(error), 'code');
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

/** Empty where there is no text, which makes the record malformed. */
function textIn(record: unknown, field: string): string {
  const value: unknown = Reflect.get(Object(record), field);
  return typeof value === 'string' ? value : '';
}

/** Nothing but what DNS could have said: a weight beyond that would make those of all others nothing. */
function numberIn(record: unknown, field: string, most: number): number | undefined {
  const value: unknown = Reflect.get(Object(record), field);
  return typeof value === 'number' && value >= 0 && value <= most ? value : undefined;
}

/** Unknown unless all have one. */
function leastTtl(records: readonly unknown[]): number | undefined {
  const ttls = records
    .map((record) => numberIn(record, 'ttl', 0xffff_ffff))
    .filter((ttl) => ttl !== undefined);
  return ttls.length === 0 || ttls.length < records.length ? undefined : Math.min(...ttls) * 1_000;
}
