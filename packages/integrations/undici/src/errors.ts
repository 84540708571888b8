import { HttpStatusError } from '@sd/client';
import { DiscoveryError, type ErrorContext } from '@sd/core';

/** The URL says `https:`, and the instance is published with protocol `http`. */
export class InsecureInstanceError extends DiscoveryError {
  readonly code = 'ERR_SD_INSECURE_INSTANCE';

  constructor(context: ErrorContext) {
    super(
      `An instance of "${context.service ?? ''}" is published with protocol "http" (${context.endpoint ?? ''}), and the URL ` +
        'says "https:". Publish it with protocol "https", or leave such instances out with the filter { protocol: "https" }.',
      context,
    );
  }
}

/** An answer that is no good, and too long to be kept until it is known whether another endpoint has a better one. */
export class LongAnswerError extends HttpStatusError {}
