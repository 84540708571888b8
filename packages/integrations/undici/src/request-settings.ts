import { classifyHttpFailure, HttpStatusError, isIdempotent } from '@sd/client';
import { classifyNetworkFailure, type CallOptions, type DiscoveryClient, type Failure } from '@sd/discovery';
import type { Dispatcher } from 'undici';
import type { DiscoverOptions } from './options.ts';
import { LongAnswerError } from './errors.ts';

/** What is the same for all requests. */
export class RequestSettings {
  readonly discovery: DiscoveryClient;
  /** `false`: none. */
  readonly deadlineHeader: string | false;
  readonly #options: DiscoverOptions;
  readonly #usual = new Map<string, CallOptions>();

  constructor(options: DiscoverOptions) {
    this.discovery = options.discovery;
    this.deadlineHeader = options.deadlineHeader ?? 'sd-timeout-ms';
    this.#options = options;
  }

  /** Hot path. @param isOnce its body can be sent once */
  callOptions(request: Dispatcher.DispatchOptions, isOnce: boolean): CallOptions {
    const { method, idempotent = isIdempotent(method) } = request;
    const isRepeatable = idempotent && !isOnce;
    const name = isRepeatable ? method : `${method} once`;
    let usual = this.#usual.get(name);
    if (usual === undefined) {
      usual = this.#make(method, isRepeatable);
      if (this.#usual.size < mostUsual) this.#usual.set(name, usual);
    }
    const key = this.#options.key?.(request);
    return key === undefined ? usual : { ...usual, key };
  }

  #make(method: string, isRepeatable: boolean): CallOptions {
    const { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge } = this.#options;
    return {
      strategy,
      filter,
      deadlineMs,
      attemptTimeoutMs,
      retries,
      hedge,
      method,
      idempotent: isRepeatable,
      classify,
    };
  }
}

/** Methods may come from strangers. */
const mostUsual = 100;

function classify(error: unknown): Failure | undefined {
  if (error instanceof LongAnswerError) {
    const failure = classifyHttpFailure(error, Date.now());
    return failure && { ...failure, retryable: false };
  }
  if (error instanceof HttpStatusError) return classifyHttpFailure(error, Date.now());
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return classifyNetworkFailure(error);
  if (closedPool.has(code)) return { outcome: 'connect-failure', retryable: true };
  if (mistakes.has(code) || code.startsWith('ERR_SD_')) return undefined;
  // Whatever else undici reports (TLS, malformed HTTP, an answer that is too short) may be this endpoint's own fault.
  return classifyNetworkFailure(error) ?? { outcome: 'error', retryable: true };
}

/** The instance left between the pick and the request. */
const closedPool = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);
/** Of the caller. */
const mistakes = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_ABORTED',
  'ABORT_ERR',
]);
