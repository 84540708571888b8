import { AccessDeniedError, BackendUnavailableError, Backoff, type Clock, type Rng } from '@sd/core';
import { ForbiddenError, unavailable } from './kubernetes-errors.ts';

export interface BreatherOptions {
  readonly clock: Clock;
  readonly rng: Rng;
}

/** Who asks, and for what. */
export interface Asked {
  readonly service?: string | undefined;
  /** What is forbidden here may be allowed elsewhere. */
  readonly scope?: string | undefined;
}

interface Failure {
  readonly error: AccessDeniedError | BackendUnavailableError;
  readonly scope: string | undefined;
  readonly until: number;
}

const pauses = { baseMs: 100, capMs: 1_000 };
/** Where we are denied, somebody must change something first: from this to twice this, in milliseconds. */
const deniedMs = 500;
/** A failure so long after the last pause is new trouble, in milliseconds. */
const calmMs = 5_000;

/**
 * After a failure everybody fails with it for a while, without asking: callers come by the thousand, and each of them
 * has a backoff that knows nothing of the others.
 */
export class Breather {
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #backoff: Backoff;
  #last: Failure | undefined;

  constructor({ clock, rng }: BreatherOptions) {
    this.#clock = clock;
    this.#rng = rng;
    this.#backoff = new Backoff({ ...pauses, rng });
  }

  /** @throws what failed last, as long as nobody should ask again */
  assertOver({ service, scope }: Asked = {}): void {
    const failure = this.#failureOf(scope);
    if (failure === undefined) return;
    const { error } = failure;
    throw error.service === service ? error : again(service, error);
  }

  failed(error: unknown, scope?: string): void {
    if (!(error instanceof AccessDeniedError || error instanceof BackendUnavailableError)) return;
    // Those who asked at the same time are one failure.
    if (this.#failureOf(scope) !== undefined) return;
    const now = this.#clock.monotonic();
    if (this.#last !== undefined && now - this.#last.until >= calmMs) this.#backoff.reset();
    const isDenied = error instanceof AccessDeniedError;
    const pauseMs = isDenied ? deniedMs * (1 + this.#rng()) : this.#backoff.next();
    this.#last = { error, scope, until: now + pauseMs };
  }

  succeeded(scope?: string): void {
    this.#backoff.reset();
    if (this.#last !== undefined && concerns(this.#last, scope)) this.#last = undefined;
  }

  #failureOf(scope: string | undefined): Failure | undefined {
    const last = this.#last;
    if (last === undefined || this.#clock.monotonic() >= last.until) return undefined;
    return concerns(last, scope) ? last : undefined;
  }
}

const concerns = ({ error, scope: denied }: Failure, scope: string | undefined): boolean =>
  denied === scope || !(error instanceof ForbiddenError);

function again(service: string | undefined, cause: Failure['error']): Error {
  const problem = `not asked again so soon after: ${cause.message}`;
  if (cause instanceof AccessDeniedError)
    return new AccessDeniedError('kubernetes', problem, { service, cause });
  return unavailable(problem, { service, cause });
}
