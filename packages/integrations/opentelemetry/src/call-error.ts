import type { CallTrace } from '@sd/discovery';

/** As the conventions have it, for what has no name that is known to be one of few. */
export const otherError = '_OTHER';

/**
 * Why a call failed: the code of an error of `@sd/*`, `cancelled`, or `_OTHER`; undefined if it did not. Never a message,
 * and no name or code of somebody else's error, of which there may be any number.
 */
export function errorTypeOfCall({ error, isCancelled }: CallTrace): string | undefined {
  if (error === undefined) return undefined;
  const code: unknown = Reflect.get(Object(error), 'code');
  if (typeof code === 'string' && /^ERR_SD_[A-Z_]{1,40}$/.test(code)) return code;
  return isCancelled === true ? 'cancelled' : otherError;
}
