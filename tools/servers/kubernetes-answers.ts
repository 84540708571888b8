import type { ServerResponse } from 'node:http';
import type { StoredSlice } from './kubernetes-objects.ts';
import { KubernetesResponse } from './kubernetes-response.ts';

/** etcd did not answer: after a minute the connection is closed without a word. */
export function hang(response: ServerResponse): void {
  const timer = setTimeout(() => response.destroy(), 60_000);
  timer.unref();
  response.on('close', () => clearTimeout(timer));
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  const answer = new KubernetesResponse(response, { status, headers, isClassified: status !== 401 });
  answer.write(`${JSON.stringify(body)}\n`);
  answer.end();
}

export function sendObject(response: ServerResponse, status: number, slice: StoredSlice): void {
  sendJson(response, status, { kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1', ...slice });
}

export function sendText(response: ServerResponse, status: number, body: string, retryAfter?: number): void {
  const answer = new KubernetesResponse(response, {
    status,
    contentType: 'text/plain; charset=utf-8',
    isClassified: status !== 429,
    headers: {
      'X-Content-Type-Options': 'nosniff',
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    },
  });
  answer.write(body);
  answer.end();
}

export const sendTooManyRequests = (response: ServerResponse, retryAfter: number): void =>
  sendText(response, 429, 'Too many requests, please try again later.\n', retryAfter);

interface Failure {
  readonly status: number;
  readonly reason?: string;
  readonly message: string;
  readonly details?: unknown;
}

const statusOf = ({ status: code, reason, message, details }: Failure, metadata = {}) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata,
  status: 'Failure',
  message,
  ...(reason === undefined ? {} : { reason }),
  ...(details === undefined ? {} : { details }),
  code,
});

export function sendStatus(response: ServerResponse, failure: Failure, headers = {}): void {
  sendJson(response, failure.status, statusOf(failure), headers);
}

export function sendForbidden(
  response: ServerResponse,
  {
    user,
    verb,
    namespace,
  }: { readonly user: string; readonly verb: string; readonly namespace: string | undefined },
): void {
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const message = `endpointslices.discovery.k8s.io is forbidden: User "${user}" cannot ${verb} resource "endpointslices" in API group "discovery.k8s.io" ${where}`;
  const details = { group: 'discovery.k8s.io', kind: 'endpointslices' };
  sendStatus(
    response,
    { status: 403, reason: 'Forbidden', message, details },
    { 'X-Content-Type-Options': 'nosniff' },
  );
}

export function sendExpired(response: ServerResponse, next: string): void {
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
  sendJson(response, 410, statusOf({ status: 410, reason: 'Expired', message }, { continue: next }));
}

export function sendMalformedVersion(response: ServerResponse, version: string): void {
  const message = `resourceVersion: Invalid value: "${version}": strconv.ParseUint: parsing "${version}": invalid syntax`;
  sendStatus(response, { status: 500, message });
}

/** It waits for the revision first, and for no longer than this. */
export function sendTooLargeVersion(response: ServerResponse, version: string, current: number): void {
  const timer = setTimeout(() => {
    const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
    const message = `Timeout: Too large resource version: ${version}, current: ${current}`;
    const details = { causes, retryAfterSeconds: 1 };
    sendStatus(response, { status: 504, reason: 'Timeout', message, details }, { 'Retry-After': '1' });
  }, 3_000);
  response.on('close', () => clearTimeout(timer));
}

export function sendFailure(response: ServerResponse, status: number, retryAfter: number | undefined): void {
  const message =
    status === 500 ? 'etcdserver: request timed out' : 'the server is currently unable to handle the request';
  const reason = { 500: 'InternalError', 503: 'ServiceUnavailable', 504: 'Timeout' }[status] ?? 'Unknown';
  const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  sendStatus(response, { status, reason, message }, headers);
}
