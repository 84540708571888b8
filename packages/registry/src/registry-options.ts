import { followOptions, type Clock, type DiscoveryLogger, type RegistryBackend, type Rng } from '@sd/core';
import * as v from 'valibot';
import { drainSchema, type DrainOptions } from './drain.ts';
import type { RegistrationDefaults } from './registration-init.ts';
import { catchableSignals } from './shutdown-signals.ts';

export interface ServiceRegistryOptions {
  /** Where instances are published. It stays yours: close it after the registry. */
  readonly backend: RegistryBackend;
  /** How long an instance stays published after its process crashed, in milliseconds from 100. Default: 30,000. */
  readonly ttlMs?: number | undefined;
  /** Used where a registration does not say it itself. */
  readonly defaults?: RegistrationDefaults | undefined;
  /**
   * On the first of these signals everything is drained, and the process then dies of it; on the second it dies at
   * once. Default: none.
   */
  readonly shutdownSignals?: readonly NodeJS.Signals[] | undefined;
  /** How to drain, where `drain()` does not say it itself. */
  readonly drain?: DrainOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

const ttlText = 'milliseconds from 100 to 86400000';
const { clock, rng, logger } = followOptions.entries;
const canRegister = (value: unknown): boolean => typeof Reflect.get(Object(value), 'register') === 'function';

const anything = v.optional(v.unknown());

/** Of `register()` and `update()`. */
export const waitSchema = v.strictObject(
  { signal: v.optional(v.instance(AbortSignal, 'an AbortSignal')) },
  'an object',
);

export const optionsSchema = v.strictObject(
  {
    backend: v.custom<RegistryBackend>(canRegister, 'a backend that can register, e.g. new MemoryBackend()'),
    ttlMs: v.optional(v.pipe(v.number(ttlText), v.minValue(100, ttlText), v.maxValue(86_400_000, ttlText))),
    // What may be in them is checked by making an instance of them.
    defaults: v.optional(
      v.strictObject(
        {
          host: anything,
          protocol: anything,
          version: anything,
          zone: anything,
          region: anything,
          tags: anything,
          metadata: anything,
          weight: anything,
        },
        'an object of defaults',
      ),
    ),
    shutdownSignals: v.optional(
      v.array(v.picklist(catchableSignals, 'a signal such as "SIGTERM"'), 'an array of signals'),
    ),
    drain: v.optional(drainSchema),
    clock,
    rng,
    logger,
  },
  'an object with a backend',
);
