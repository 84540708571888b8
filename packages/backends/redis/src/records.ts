import { parseInstance, type MalformedEntries, type ServiceInstance } from '@sd/core';

/** The instances that can be read, by id; all that is no instance is reported. */
export function parseRecords(
  service: string,
  {
    alive,
    strays = [],
  }: {
    /** JSON by id. */
    readonly alive: ReadonlyMap<string, string>;
    /** Ids of records that nobody holds. */
    readonly strays?: readonly string[];
  },
  malformed: MalformedEntries,
): Map<string, ServiceInstance> {
  const instances = new Map<string, ServiceInstance>();
  for (const [id, json] of alive) {
    const { instance, problem } = parseInstance(json, { service, id });
    if (instance !== undefined) instances.set(id, instance);
    else malformed.report({ service, key: id, problem });
  }
  for (const key of strays) malformed.report({ service, key, problem: 'the record has no expiry' });
  return instances;
}
