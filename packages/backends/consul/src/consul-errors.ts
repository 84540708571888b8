import {
  AccessDeniedError,
  BackendUnavailableError,
  ConfigValidationError,
  DiscoveryError,
  type ErrorContext,
} from '@sd/core';

/** What was asked of Consul, for those who read the error. */
export interface ErrorSource {
  /** `"register"`. */
  readonly what: string;
  readonly service?: string | undefined;
  /** ACL rules that it needs: `service "orders" { policy = "write" }`. */
  readonly rules?: string | undefined;
  /** What must not stand in a message, whatever the server says. */
  readonly secrets: Iterable<string>;
  readonly url: string;
}

/** What Consul answered when it was no success. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** Any failure of the `consul` library, as what it means to users. Its own errors hold the request, and so the token. */
export function consulError(error: unknown, source: ErrorSource): DiscoveryError {
  if (error instanceof DiscoveryError) return error;
  const refusal = refusalOf(error);
  if (refusal === undefined) return unreachable(error, source);
  const status = refusal.status;
  const text = withoutSecrets(refusal.text, source.secrets);
  const context = { service: source.service, cause: new Error(`${status} ${text}`) };
  if (status === 401 || status === 403) return new AccessDeniedError('consul', denial(text, source), context);
  if (status === 400 && /HTTP request to an HTTPS server/i.test(text))
    return new BackendUnavailableError('consul', `${source.url} speaks TLS: use https://…`, context);
  // Before Consul 1.10 also a wrong filter is a failure of the server.
  if (status === 400 || /boolean expression/i.test(text)) return refused(text, source);
  return new BackendUnavailableError('consul', `"${source.what}" failed with ${status}: ${text}`, context);
}

/** What Consul answered, if that is what went wrong. */
export function refusalOf(error: unknown): Refusal | undefined {
  const response: unknown = Reflect.get(Object(error), 'response');
  const status: unknown = Reflect.get(Object(response), 'statusCode');
  if (typeof status !== 'number') return undefined;
  const body: unknown = Reflect.get(Object(response), 'body');
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body.toString().trim() : '';
  return { status, text: text.slice(0, 300) || 'no reason given' };
}

/** The connection was gone before anything was answered. */
export const isReset = (error: unknown): boolean =>
  /ECONNRESET|EPIPE|socket hang up/.test(`${codeOf(error)} ${messageOf(error)}`);

function denial(text: string, { what, rules }: ErrorSource): string {
  if (/ACL not found/i.test(text))
    return `the token is unknown to Consul: wrong, deleted or expired (${text})`;
  return `"${what}" needs a token with the ACL rules ${rules ?? 'node_prefix "" { policy = "read" }'} (${text})`;
}

function refused(text: string, { what, service }: ErrorSource): ConfigValidationError {
  const issue = { field: '', received: `refused: ${text}`, expected: 'what Consul accepts' };
  return new ConfigValidationError(`Consul, "${what}"`, [issue], service === undefined ? {} : { service });
}

function unreachable(error: unknown, { service, secrets, url, what }: ErrorSource): DiscoveryError {
  const code = codeOf(error);
  const message = withoutSecrets(messageOf(error), secrets);
  const cause = Object.assign(new Error(message), code === '' ? {} : { code });
  const context: ErrorContext = { service, cause };
  return new BackendUnavailableError('consul', problem(code, message, url, what), context);
}

function problem(code: string, message: string, url: string, what: string): string {
  if (code === 'CERT_HAS_EXPIRED') return `the certificate of ${url} has expired (${message})`;
  if (/ALTNAME/.test(code)) return `the certificate of ${url} is for another host (${message})`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ISSUER/.test(code))
    return `the certificate of ${url} is not trusted: give its authority as tls.ca (${message})`;
  if (/WRONG_VERSION_NUMBER|EPROTO|ERR_SSL/.test(code))
    return `no TLS handshake with ${url} (${message}); does this port speak TLS?`;
  return `"${what}" got no answer from ${url}: ${message}`;
}

function withoutSecrets(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  return clean.slice(0, 500);
}

const codeOf = (error: unknown): string => String(Reflect.get(Object(error), 'code') ?? '');
const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // Several addresses of one host were tried.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error.message;
};
