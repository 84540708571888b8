import type { Family } from './families.ts';

/** Where records come from: servers that we ask, or a resolver that the user gave. */
export interface DnsSource {
  /** @throws what went wrong, or the reason of the signal; that there is none is no failure */
  srv(name: string, signal: AbortSignal): Promise<DnsAnswer<SrvRecord>>;
  /** All of one name, also where several are tried: another name may be another service's. */
  addresses(name: string, family: Family, signal: AbortSignal): Promise<DnsAnswer<string>>;
}

export interface DnsAnswer<T> {
  readonly records: readonly T[];
  /** How long it is good for, also when it has no records; undefined when that is not known. */
  readonly ttlMs: number | undefined;
}

export interface SrvRecord {
  readonly target: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  /** Those of the target that came along. */
  readonly addresses: readonly KnownAddress[];
}

export interface KnownAddress {
  readonly address: string;
  readonly ttlMs: number;
}
