import { DiscoveryError } from '@sd/core';

/** A circuit breaker refused a call, because earlier ones failed or an operator wants it so. Nothing was called. */
export class CircuitOpenError extends DiscoveryError {
  readonly code = 'ERR_SD_CIRCUIT_OPEN';
  /** When it is worth trying again, in milliseconds from now; undefined while an operator keeps it open. */
  readonly retryAfterMs: number | undefined;

  constructor(service: string, retryAfterMs: number | undefined) {
    super(
      retryAfterMs === undefined
        ? `The circuit of service "${service}" is isolated until an operator releases it`
        : `The circuit of service "${service}" is open: too many calls failed. Try again in ${Math.ceil(retryAfterMs)} ms`,
      { service },
    );
    this.retryAfterMs = retryAfterMs;
  }
}
