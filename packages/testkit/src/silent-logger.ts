import type { DiscoveryLogger } from '@sd/core';

/** For tests in which things go wrong on purpose. */
export const silentLogger: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
