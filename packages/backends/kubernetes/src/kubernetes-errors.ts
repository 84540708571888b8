import { AccessDeniedError, BackendUnavailableError, type DiscoveryError } from '@sd/core';
import type { Access } from './access.ts';

/** What was asked for, for those who must grant it. */
export interface Question {
  readonly verb: 'list' | 'watch';
  /** Undefined for all. */
  readonly namespace: string | undefined;
  readonly service?: string | undefined;
}

/** The server has forgotten the revision that was asked for: what it has now must be listed. */
export class ExpiredError extends BackendUnavailableError {}

/** A right is missing, where it was asked for; elsewhere there may be one. */
export class ForbiddenError extends AccessDeniedError {
  override name = AccessDeniedError.name;
}

export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly access: Access;
  /** Milliseconds since the epoch by the clock of this host. */
  readonly now: number;
}

/** An answer that is not 200, as what it means to users. */
export function refusalError({ status, body, access, now }: Refusal, question: Question): DiscoveryError {
  const context = { service: question.service };
  const message = withoutSecrets(messageOf(body), access);
  const said = message === '' ? '' : ` (${message})`;
  switch (status) {
    case 401:
      return new AccessDeniedError('kubernetes', `${unauthorized(access, now)}${said}`, context);
    case 403:
      return new ForbiddenError('kubernetes', forbidden(message, question), context);
    case 404:
      return unavailable(
        `${access.server.host} does not know endpointslices of discovery.k8s.io/v1; Kubernetes 1.21 or newer does${said}`,
        context,
      );
    case 410:
      return new ExpiredError('kubernetes', `the revision is too old${said}`, context);
    case 429:
      return unavailable(
        `the API server has too many requests, also after the pause that it asked for${said}`,
        context,
      );
    default:
      return unavailable(`the API server answered ${status}${said}`, context);
  }
}

function unauthorized({ headers }: Access, now: number): string {
  const { Authorization = '' } = headers;
  if (Authorization === '') return 'the API server wants a token or a client certificate';
  const { exp, nbf } = claims(Authorization);
  if (exp !== undefined && exp * 1_000 <= now)
    return `the token expired at ${time(exp)}, and it is ${time(now / 1_000)} by the clock of this host`;
  if (nbf !== undefined && nbf * 1_000 > now)
    return `the token is valid from ${time(nbf)}, and it is ${time(now / 1_000)} by the clock of this host`;
  return 'the API server does not accept the credentials';
}

const time = (seconds: number): string => {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? 'an impossible time' : date.toISOString();
};

/** The times that a service-account token says of itself; nothing is verified, and nothing else is looked at. */
function claims(authorization: string): { readonly exp?: number; readonly nbf?: number } {
  try {
    const payload = Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString();
    const { exp, nbf } = Object(JSON.parse(payload)) as Record<string, unknown>;
    return { ...(typeof exp === 'number' ? { exp } : {}), ...(typeof nbf === 'number' ? { nbf } : {}) };
  } catch {
    return {};
  }
}

function forbidden(message: string, { verb, namespace }: Question): string {
  const user = /User "([^"]*)"/.exec(message)?.[1];
  const where = namespace === undefined ? 'in all namespaces' : `in the namespace "${namespace}"`;
  const role = namespace === undefined ? 'ClusterRole' : `Role in "${namespace}"`;
  const rule = '{ apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] }';
  return `${user === undefined ? 'it' : `user "${user}"`} lacks the right to ${verb} endpointslices of API group discovery.k8s.io ${where}; bind it to a ${role} with the rule ${rule} (${message})`;
}

/** Of the Status that the body is, or of plain text. */
function messageOf(body: string): string {
  let message = body;
  try {
    const status: unknown = JSON.parse(body);
    message = String(Reflect.get(Object(status), 'message') ?? '');
  } catch {
    // It is text already.
  }
  return message.trim().slice(0, 1_000);
}

/** Servers and proxies may repeat what they were sent. */
function withoutSecrets(message: string, { headers }: Access): string {
  const secret = headers.Authorization?.replace(/^\w+ /, '') ?? '';
  return secret === '' ? message : message.replaceAll(secret, '***');
}

/** No answer at all. */
export function networkError(error: unknown, { server }: Access, question: Question): DiscoveryError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = error instanceof Error ? error.message || code : String(error);
  const context = { service: question.service, cause: error };
  return unavailable(`${server.host}: ${explanation(code, reason)}`, context);
}

function explanation(code: string, reason: string): string {
  switch (code) {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return `its certificate is not signed by an authority that we trust; give that authority as ca (${code})`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `its certificate is not valid at this time; is the clock of this host right? (${code})`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is for another name (${reason})`;
    case 'EPROTO':
    case 'HPE_INVALID_CONSTANT':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return `it does not speak ${code === 'HPE_INVALID_CONSTANT' ? 'HTTP; is it https?' : 'TLS; is it http?'} (${code})`;
    default:
      return reason;
  }
}

export function unavailable(
  problem: string,
  context: { readonly service?: string | undefined; readonly cause?: unknown } = {},
): BackendUnavailableError {
  return new BackendUnavailableError('kubernetes', problem, context);
}
