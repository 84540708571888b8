import type { requireServer, TestServer } from '../servers/index.ts';
import type { BadEntries } from './bad-entries.ts';
import type { Address, StorePlace } from './places.ts';

/** A store of a run, and what can be done to it. */
export interface ChaosStore extends AsyncDisposable {
  /** Where proxies stand in front of it; none where it is no server. */
  readonly addresses: readonly Address[];
  /** For a process that reaches it at these addresses instead. */
  placeAt(addresses: readonly Address[]): StorePlace;
  kill(): Promise<void>;
  /** Resolves when it serves again. @param options.formAnew also what its servers knew of each other is lost */
  start(options: { readonly keepData: boolean; readonly formAnew?: boolean }): Promise<void>;
  freeze(): Promise<void> | void;
  /** Resolves when it serves again. */
  thaw(): Promise<void> | void;
  readonly badEntries: BadEntries;
  readonly sentinels?: Sentinels;
  /** Puts these instances into the store, and no others, where instances do not do that themselves. */
  publish?(entries: readonly PublishedEntry[]): Promise<void>;
}

/** Those who say where the store is, and have nothing of it. */
export interface Sentinels {
  readonly servers: readonly TestServer[];
  /** Resolves when those that are up say the same. */
  agree(): Promise<unknown>;
}

/** What is to be found in a store that only reads. */
export interface PublishedEntry {
  readonly name: string;
  readonly port: number;
  readonly isLeaving: boolean;
}

export interface StoreTraits {
  /** The server that the machine must have; none for those of our own. */
  readonly needs?: Parameters<typeof requireServer>[0];
  /** What can be tried on it; for a file there is no link to cut. */
  readonly faults: {
    readonly kill: boolean;
    readonly wipe: boolean;
    readonly freeze: boolean;
    readonly links: boolean;
    readonly formAnew?: boolean;
    readonly sentinels?: boolean;
  };
  /** Whether views say that they are stale while it is away. */
  readonly saysStale: boolean;
  readonly start: () => Promise<ChaosStore>;
}
