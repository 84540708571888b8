import type { ServiceInstance } from './service-instance.ts';

/**
 * What a consumer knows of a service at one moment. Immutable.
 * - `connecting`: nothing was heard yet; `instances` is empty and means nothing
 * - `live`: in sync with the store
 * - `stale`: the store was lost at `since`; `instances` is the last good snapshot
 */
export interface ServiceView {
  readonly service: string;
  readonly state: 'connecting' | 'live' | 'stale';
  /** When `state` began, milliseconds since the epoch. */
  readonly since: number;
  /** Sorted by id; unchanged instances keep their object identity from one view to the next. */
  readonly instances: readonly ServiceInstance[];
  /** How many of `instances` the watch no longer lists: kept until a sudden shrinking is verified. */
  readonly held: number;
  /** Why the view is not live; undefined when it is. */
  readonly error: unknown;
}
