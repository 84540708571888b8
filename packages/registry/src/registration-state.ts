import type { LeaseLostError } from '@sd/core';

/**
 * Where a registration stands.
 * - `publishing`: not in the store yet; tried again and again
 * - `published`
 * - `lost`: the store dropped it; it is being published again
 * - `draining`: takes no new work, finishes what it has
 * - `deregistered`: for good
 * - `replaced`: another process registered the same id; it is not fought over
 */
export type RegistrationState =
  | { readonly value: 'publishing' | 'published' | 'draining' | 'deregistered'; readonly since: number }
  | { readonly value: 'lost'; readonly since: number; readonly error: unknown }
  | { readonly value: 'replaced'; readonly since: number; readonly error: LeaseLostError };
