/** Names of a service in Redis. The braces keep all keys of a service in one slot of a Cluster. */
export interface ServiceKeys {
  /** Instances, expiries and owners: see `scripts/shared.lua`. */
  readonly keys: readonly [string, string, string];
  readonly channel: string;
}

/** @param db the number of the database: its keys are its own, but channels are common to all databases of a server */
export function serviceKeys(prefix: string, service: string, db: number): ServiceKeys {
  const base = `${prefix}{${service}}`;
  return {
    keys: [`${base}:instances`, `${base}:expiries`, `${base}:owners`],
    channel: `${base}:changes${db === 0 ? '' : `:${db}`}`,
  };
}

/** The names of all services. */
export const indexKey = (prefix: string): string => `${prefix}services`;
