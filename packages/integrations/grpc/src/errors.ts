import { DiscoveryError } from '@sd/core';

/** Two registrations of one process cannot have the same name: targets would not say which they mean. */
export class GrpcNameTakenError extends DiscoveryError {
  readonly code = 'ERR_SD_GRPC_NAME_TAKEN';

  constructor(name: string) {
    super(
      name === ''
        ? 'A DiscoveryClient is registered for sd:///… already. Close that registration, or give this one a name.'
        : `A DiscoveryClient is registered for sd://${name}/… already. Close that registration, or take another name.`,
    );
  }
}

/** A channel's target names a registration that does not exist, or not any more. */
export class UnknownGrpcNameError extends DiscoveryError {
  readonly code = 'ERR_SD_GRPC_NAME_UNKNOWN';

  constructor(name: string, service: string) {
    super(
      name === ''
        ? `No DiscoveryClient is registered for sd:///${service}. Call registerGrpc({ discovery }) first.`
        : `No DiscoveryClient is registered for sd://${name}/${service}. Call registerGrpc({ discovery, name: "${name}" }) first.`,
      { service },
    );
  }
}

/** The instances of a service are known, but a connection is open to none of them. */
export class NoConnectionError extends DiscoveryError {
  readonly code = 'ERR_SD_GRPC_NO_CONNECTION';

  constructor(service: string, instances: number, lastError: string | undefined) {
    super(
      `No connection to any of the ${instances} instances of "${service}"` +
        (lastError === undefined ? '' : `; the last error was: ${lastError}`),
      { service },
    );
  }
}
