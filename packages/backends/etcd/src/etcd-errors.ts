import { status } from '@grpc/grpc-js';
import { AccessDeniedError, BackendUnavailableError, DiscoveryError } from '@sd/core';

export interface ErrorSource {
  readonly username?: string | undefined;
  readonly secrets: readonly string[];
  /** What was asked for, for those who must grant the right to it. */
  readonly right?: 'read' | 'readwrite' | undefined;
  /** The keys that it was about begin with this, or are this one. */
  readonly keys?: string | undefined;
  readonly service?: string | undefined;
  /** The URL of the server, for failures to reach it. */
  readonly endpoint?: string | undefined;
}

/** Any failure of gRPC, as what it means to users. */
export function etcdError(error: unknown, source: ErrorSource): DiscoveryError {
  if (error instanceof DiscoveryError) return error;
  const message = withoutSecrets(wordsOf(error), source.secrets);
  const context = { service: source.service, cause: bare(error, message) };
  const denial = denied(message, source);
  if (denial !== undefined) return new AccessDeniedError('etcd', denial, context);
  return new BackendUnavailableError('etcd', problem(message, source), context);
}

/** What the server said, without the number that gRPC puts before it. */
export function wordsOf(error: unknown): string {
  const details: unknown = Reflect.get(Object(error), 'details');
  if (typeof details === 'string' && details !== '') return details;
  return error instanceof Error ? error.message || error.name : String(error);
}

/** The server was not reached, or the connection to it broke. */
export const isUnreachable = (error: unknown): boolean =>
  codeOf(error) === status.UNAVAILABLE && !isOfServer(error);

/** It has no leader for the moment; another attempt, there or elsewhere, may succeed. */
export const isLeaderless = (error: unknown): boolean =>
  isOfServer(error) &&
  /no leader|leader changed|not leader|request timed out|server stopped/.test(wordsOf(error));

/** Another member may answer: this one has no leader, or has no voice yet. */
export const isOfMember = (error: unknown): boolean =>
  isLeaderless(error) || /not supported for learner/.test(wordsOf(error));

/** The token has run out, or was given for rights that have changed since, or there was none before. */
export const isStaleToken = (error: unknown): boolean =>
  /invalid auth token|revision of auth store is old|user name is empty/.test(wordsOf(error));

export const isUnknownLease = (error: unknown): boolean => /requested lease not found/.test(wordsOf(error));

/** A transaction was refused for what one of its operations, or their number, is. */
export const isOfOneOperation = (error: unknown): boolean =>
  [status.PERMISSION_DENIED, status.INVALID_ARGUMENT].some((code) => code === codeOf(error));

export const isOfServer = (error: unknown): boolean => wordsOf(error).includes('etcdserver: ');

const codeOf = (error: unknown): unknown => Reflect.get(Object(error), 'code');

function withoutSecrets(message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message);
}

/** The errors of gRPC carry what the server sent beside its answer. */
function bare(error: unknown, message: string): Error {
  const cause = new Error(message);
  const code = codeOf(error);
  return typeof code === 'number' ? Object.assign(cause, { code }) : cause;
}

function denied(message: string, { username, right = 'read', keys = '' }: ErrorSource): string | undefined {
  if (/authentication failed|user name not found/.test(message))
    return `wrong user name or password for user "${username}"`;
  if (/user name is empty/.test(message)) return 'etcd wants a user name and a password';
  if (/invalid auth token|revision of auth store is old/.test(message))
    return `etcd does not take the token that it gave to user "${username}" (${message})`;
  if (/^tls: |bad certificate|certificate required|handshake failure/i.test(message))
    return `etcd wants a client certificate that it trusts, options tls.cert and tls.key (${message})`;
  if (!/permission denied/.test(message)) return undefined;
  const grant = `etcdctl role grant-permission <role> --prefix=true ${right} ${keys === '' ? '""' : keys}`;
  return `no role of user "${username ?? ''}" has the right to ${right} keys that begin with "${keys}"; grant it with: ${grant}`;
}

function problem(message: string, { endpoint = '' }: ErrorSource): string {
  const at = endpoint === '' ? '' : `${endpoint}: `;
  if (/database space exceeded/.test(message))
    return 'etcd has reached its space quota and takes nothing more (NOSPACE); compact it, defragment it and disarm the alarm';
  if (/certificate|self.signed|altnames/i.test(message))
    return `${at}its certificate was refused (${shortened(message)})`;
  if (/before secure TLS connection|wrong version number|packet length too long/i.test(message))
    return `${at}no TLS there (${shortened(message)}); is it http:?`;
  // What a server without TLS does as well, one time in twenty.
  if (endpoint.startsWith('https:') && /ECONNRESET/.test(message))
    return `${at}${shortened(message)}; if it does so each time, is it http:?`;
  if (endpoint.startsWith('http:') && /Failed to connect \(/.test(message))
    return `${at}it closed the connection without a word; does it want TLS, https:?`;
  return `${at}${shortened(message)}`;
}

/** gRPC repeats itself. */
function shortened(message: string): string {
  return message
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.? Resolution note:.*$/s, '')
    .trim();
}
