import { DiscoveryError } from '@sd/core';
import type { Outcome } from '@sd/load-balancers';

/** What an error thrown by an attempt means for the call. */
export interface Failure {
  readonly outcome: Exclude<Outcome, 'ok' | 'cancelled'>;
  /** Whether another attempt may help. Unless the outcome is `connect-failure`, only idempotent calls are repeated. */
  readonly retryable: boolean;
  /** What the answer said of when to come back, in milliseconds: until then its endpoint is spared. */
  readonly retryAfterMs?: number | undefined;
  /** The answer speaks for the whole service, as 429 does: other endpoints are not asked earlier either. */
  readonly everywhere?: boolean | undefined;
}

/** Reads an error; undefined when it says nothing of the network or the endpoint, e.g. a bug in the attempt. */
export type FailureClassifier = (error: unknown) => Failure | undefined;

/** Knows the error codes of Node's sockets and of undici, also where they are the `cause` of another error. */
export const classifyNetworkFailure: FailureClassifier = (error) => {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if (current instanceof DiscoveryError) return undefined; // the failure of a call to some other service
    const code = 'code' in current ? current.code : undefined;
    if (typeof code === 'string') {
      if (badCertificate.has(code) || current.message.startsWith(brokeOffInHandshake)) {
        return { outcome: 'connect-failure', retryable: true };
      }
      if (neverConnected.has(code)) {
        return { outcome: wasConnected(error) ? 'error' : 'connect-failure', retryable: true };
      }
      if (timedOut.has(code)) return { outcome: 'timeout', retryable: true };
      if (brokeOff.has(code)) return { outcome: 'error', retryable: true };
    }
    // With several addresses per name, Node reports one error per address.
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
};

/** A host may also become unreachable in the midst of a connection: then a read or a write says so. */
function wasConnected(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if ('syscall' in current && (current.syscall === 'read' || current.syscall === 'write')) return true;
    current = current.cause;
  }
  return false;
}

const neverConnected = new Set([
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** Node looks at a certificate before anything is sent. Its codes are the names of OpenSSL's `X509_V_ERR_…`. */
const badCertificate = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** Its code, ECONNRESET, may be that of any connection. */
const brokeOffInHandshake = 'Client network socket disconnected before secure TLS connection';
// Node reports a connect that timed out in the kernel like a read that did; nothing proves that nothing was sent.
const timedOut = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const brokeOff = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'UND_ERR_SOCKET',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
