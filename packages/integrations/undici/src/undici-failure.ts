import { classifyHttpFailure, HttpStatusError, UnusableAddressError } from '@sd/client';
import { classifyNetworkFailure, type Failure } from '@sd/discovery';
import { errors } from 'undici';
import { LongAnswerError } from './errors.ts';

/** What the error of a request of undici means, or an answer that is no good. */
export function classifyUndiciFailure(error: unknown): Failure | undefined {
  if (error instanceof LongAnswerError) {
    const failure = classifyHttpFailure(error, Date.now());
    return failure && { ...failure, retryable: false };
  }
  if (error instanceof HttpStatusError || error instanceof UnusableAddressError) {
    return classifyHttpFailure(error, Date.now());
  }
  if (error instanceof errors.HTTPParserError) return { outcome: 'error', retryable: true }; // has no code
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
