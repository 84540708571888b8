import { addressOf, DiscoveryError, type ErrorContext } from '@sd/core';
import type { ServiceResponse } from './service-response.ts';

/** The service answered with a status of 400 or above; the answer is in `response`. */
export class HttpStatusError extends DiscoveryError {
  readonly code = 'ERR_SD_HTTP_STATUS';
  readonly status: number;
  readonly response: ServiceResponse;

  constructor(method: string, path: string, response: ServiceResponse) {
    const { service } = response.instance;
    const endpoint = addressOf(response.instance);
    // What follows the path may be a secret.
    super(
      `${method} ${path.replace(/[?#].*/s, '')} of "${service}" answered ${response.status} (${endpoint})`,
      {
        service,
        endpoint,
      },
    );
    this.status = response.status;
    this.response = response;
  }
}

/** The service answered, but not with JSON. */
export class ResponseBodyError extends DiscoveryError {
  readonly code = 'ERR_SD_RESPONSE_BODY';
  readonly response: ServiceResponse;

  constructor(response: ServiceResponse, cause: unknown) {
    const { service } = response.instance;
    const type = response.headers['content-type'] ?? 'no content type';
    super(
      `The answer of "${service}" is not JSON: status ${response.status}, ${type}, ${response.body.length} bytes`,
      {
        service,
        endpoint: addressOf(response.instance),
        cause,
      },
    );
    this.response = response;
  }
}

/** An instance speaks a protocol that this client does not. */
export class UnsupportedProtocolError extends DiscoveryError {
  readonly code = 'ERR_SD_UNSUPPORTED_PROTOCOL';

  constructor(protocol: string, context: ErrorContext) {
    super(
      `An instance of "${context.service ?? ''}" is published with protocol "${protocol}"; ServiceClient speaks http and ` +
        'https. Leave such instances out with the filter { protocol: ["http", "https"] }, or call them with DiscoveryClient.call.',
      context,
    );
  }
}

/** An instance is published with a host that no URL can have, e.g. an IPv6 address with a zone. */
export class UnusableAddressError extends DiscoveryError {
  readonly code = 'ERR_SD_UNUSABLE_ADDRESS';

  constructor(context: ErrorContext) {
    super(
      `An instance of "${context.service ?? ''}" is published at "${context.endpoint ?? ''}", which no URL can have. ` +
        'Publish it with another address, or call it with DiscoveryClient.call.',
      context,
    );
  }
}
