import { DiscoveryError } from '@sd/core';

/** The events of `@sd/*` are the process's, so a second instrumentation would count everything twice. */
export class AlreadyInstrumentedError extends DiscoveryError {
  readonly code = 'ERR_SD_ALREADY_INSTRUMENTED';

  constructor() {
    super('This process is instrumented already: add clients to that instrumentation, or stop it first');
  }
}
