import { DiscoveryError } from '@sd/core';

/** An instance was made with plain `new`, and there is nothing that its field could be given. */
export class NotInjectedError extends DiscoveryError {
  readonly code = 'ERR_SD_NOT_INJECTED';

  constructor(instance: object, field: string) {
    super(
      `Nothing to inject into "${field}" of ${instance.constructor.name}: it was made with new. ` +
        'Make it with create() or start() of a DiscoveryApp.',
    );
  }
}
