import { maxRecordLength } from '@sd/core';

/** What a change of a service was, as `publish()` in `scripts/shared.lua` tells it. */
export interface Delta {
  /** The version that it is a change of. */
  readonly before: string;
  readonly version: string;
  /** JSON by id. */
  readonly set: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
  /** How long what is set lives if nobody renews it, in milliseconds; Infinity where nothing is set. */
  readonly ttl: number;
}

/** A change has one record at most, and a hundred ids. */
const maxLength = 4 * maxRecordLength;

/** Anybody may publish: undefined for what is no change. */
export function parseDelta(message: string): Delta | undefined {
  if (message.length > maxLength) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [before, version, set, removed, ttl] = parsed as readonly unknown[];
  const [flat, ids] = [stringList(set), stringList(removed)];
  if (typeof before !== 'string' || typeof version !== 'string') return undefined;
  if (flat === undefined || ids === undefined || flat.length % 2 === 1) return undefined;
  const records = new Map<string, string>();
  for (let index = 0; index < flat.length; index += 2) records.set(flat[index]!, flat[index + 1]!); // both are inside
  return { before, version, set: records, removed: ids, ttl: typeof ttl === 'number' ? ttl : Infinity };
}

/** An empty list is written by Lua as an empty object. */
function stringList(value: unknown): readonly string[] | undefined {
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string') ? value : undefined;
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return empty ? [] : undefined;
}

/** Whether the data at version `next` do not come after those at `before`: lost, or a copy from the past. */
export function isSetBack(before: string, next: string): boolean {
  const [epoch, number] = before.split(':');
  const [nextEpoch, nextNumber] = next.split(':');
  return epoch !== nextEpoch || Number(nextNumber) < Number(number);
}
