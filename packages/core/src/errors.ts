/**
 * Every failure of `@sd/*` is a `DiscoveryError` with a stable `code`; messages may be reworded, codes may not.
 * Codes start with `ERR_SD_`, after Node's own convention.
 */
export abstract class DiscoveryError extends Error {
  /**
   * By its code where it comes from another copy of this package: npm may install several, and a backend may bring its
   * own.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    if (!(value instanceof Error && 'code' in value)) return false;
    if (this === DiscoveryError) return typeof value.code === 'string' && value.code.startsWith('ERR_SD_');
    return Object.hasOwn(this, 'code') && Reflect.get(this, 'code') === value.code;
  }

  abstract readonly code: `ERR_SD_${string}`;
  /** The service concerned, where there is one. */
  readonly service: string | undefined;
  /** The endpoint concerned as `host:port`, where there is one. */
  readonly endpoint: string | undefined;

  constructor(message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.service = context.service;
    this.endpoint = context.endpoint;
  }
}

export interface ErrorContext {
  readonly service?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly cause?: unknown;
}

/** Something was used after its `close()`. */
export class ClosedError extends DiscoveryError {
  static readonly code = 'ERR_SD_CLOSED';
  readonly code = ClosedError.code;

  constructor(what: string, context?: ErrorContext) {
    super(`${what} is closed. Make a new one, or close it later.`, context);
  }
}

/** The store of a backend did not answer, or not in time. It may work again later. */
export class BackendUnavailableError extends DiscoveryError {
  static readonly code = 'ERR_SD_BACKEND_UNAVAILABLE';
  readonly code = BackendUnavailableError.code;
  readonly backend: string;

  constructor(backend: string, problem: string, context?: ErrorContext) {
    super(`Backend "${backend}": ${problem}`, context);
    this.backend = backend;
  }
}

/** The store of a backend refused us: wrong credentials, or a right that is missing. */
export class AccessDeniedError extends DiscoveryError {
  static readonly code = 'ERR_SD_ACCESS_DENIED';
  readonly code = AccessDeniedError.code;
  readonly backend: string;

  constructor(backend: string, problem: string, context?: ErrorContext) {
    super(`Backend "${backend}" denied access: ${problem}`, context);
    this.backend = backend;
  }
}

/**
 * Why a lease ended without `release()`:
 * `expired` (not renewed in time), `deleted` (by somebody else), `replaced` (the same id was registered by another
 * process) or `store-lost` (the store lost its data or our session).
 */
export type LeaseLossReason = 'expired' | 'deleted' | 'replaced' | 'store-lost';

/** The store dropped a lease that was not released. It is the `reason` of `Lease.lost`. */
export class LeaseLostError extends DiscoveryError {
  static readonly code = 'ERR_SD_LEASE_LOST';
  readonly code = LeaseLostError.code;
  readonly instanceId: string;
  readonly reason: LeaseLossReason;

  constructor(service: string, instanceId: string, reason: LeaseLossReason, cause?: unknown) {
    super(`The registration of "${instanceId}" in service "${service}" was lost: ${reason}.`, {
      service,
      cause,
    });
    this.instanceId = instanceId;
    this.reason = reason;
  }
}
