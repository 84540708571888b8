import { validate } from '@sd/core';
import { request as requestPlain, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestSecure } from 'node:https';
import { finding, unhealthy } from '../finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from '../health-check.ts';
import { ConnectionProgress } from './connection-progress.ts';
import { exchange, type Exchange } from './exchange.ts';
import { httpCheckSchema, type HttpCheckOptions, type StatusRange } from './http-check-options.ts';
import { TlsSettings } from './tls-options.ts';

/**
 * One request on a connection of its own. Redirects are not followed: they are answers like others. The body is read
 * only when something is expected in it.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function httpCheck(options: HttpCheckOptions = {}): HealthCheck {
  validate('httpCheck', httpCheckSchema, options);
  const {
    path = '/health',
    method = 'GET',
    expectedStatus = [[200, 299]],
    degradedStatus = [],
    expectedBody,
    maxBodyBytes = 65_536,
    headers = {},
    port,
    protocol,
  } = options;
  const settings = {
    path,
    method,
    expectedStatus,
    degradedStatus,
    expectedBody,
    maxBodyBytes,
    headers: { ...headers },
    tls: new TlsSettings('httpCheck', options.tls),
  };
  return {
    name: `http ${path}`,
    async check(target, { signal }) {
      const scheme = protocol ?? target.protocol ?? 'http';
      if (scheme !== 'http' && scheme !== 'https') {
        return unhealthy(`cannot ask a "${scheme}" target over HTTP: give httpCheck a protocol`);
      }
      const to = { host: target.host, port: port ?? target.port, protocol: scheme };
      return exchange(signal, (end) => ask(to, settings, end));
    },
  };
}

interface Settings {
  readonly path: string;
  readonly method: string;
  readonly expectedStatus: readonly StatusRange[];
  readonly degradedStatus: readonly StatusRange[];
  readonly expectedBody: string | RegExp | undefined;
  readonly maxBodyBytes: number;
  readonly headers: Record<string, string>;
  readonly tls: TlsSettings;
}

type End = (result: CheckResult) => void;

function ask(target: Required<CheckTarget>, settings: Settings, end: End): Exchange {
  const progress = new ConnectionProgress();
  const secure = target.protocol === 'https';
  const request = open(target, settings, secure);
  const unanswered = (): void => end(unhealthy('the connection was closed without an answer'));
  request.once('socket', (socket) => progress.follow(socket, { secure }));
  request.once('response', (response) => {
    request.off('close', unanswered);
    read(response, settings, end);
  });
  request.once('upgrade', (response, socket) => {
    socket.destroy(); // ours alone since the upgrade
    end(judgeStatus(response, settings));
  });
  request.on('error', (error) => end(progress.failure(error)));
  request.once('close', unanswered);
  request.end();
  return { close: () => request.destroy(), cutOff: (reason) => progress.cutOff(reason) };
}

function open({ host, port }: CheckTarget, settings: Settings, secure: boolean): ClientRequest {
  const { path, method, headers, tls } = settings;
  // A kept connection would only say that the process was there when it was opened.
  const options = { host, port, path, method, headers, agent: false };
  return secure ? requestSecure({ ...options, ...tls.connectOptions() }) : requestPlain(options);
}

function read(response: IncomingMessage, settings: Settings, end: End): void {
  const byStatus = judgeStatus(response, settings);
  const { expectedBody, maxBodyBytes } = settings;
  if (byStatus.status !== 'healthy' || expectedBody === undefined) return end(byStatus);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const judge = (): void => {
    const text = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString();
    const found =
      typeof expectedBody === 'string' ? text.includes(expectedBody) : text.search(expectedBody) >= 0;
    const searched = bytes >= maxBodyBytes ? `the first ${maxBodyBytes} bytes of the body` : 'the body';
    end(found ? byStatus : unhealthy(`${byStatus.detail}, but ${searched} lacks what is expected`));
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBodyBytes) judge();
  });
  response.once('end', judge);
  response.once('error', () => end(unhealthy(`${byStatus.detail}, but the body broke off`)));
}

function judgeStatus(response: IncomingMessage, { expectedStatus, degradedStatus }: Settings): CheckResult {
  const { statusCode = 0 } = response;
  const answer = `answered ${statusCode}`;
  if (includes(degradedStatus, statusCode)) return finding('degraded', answer);
  if (includes(expectedStatus, statusCode)) return finding('healthy', answer);
  return unhealthy(answer + describeRedirect(response));
}

function includes(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some((range) => {
    const [from, to] = typeof range === 'number' ? [range, range] : range;
    return status >= from && status <= to;
  });
}

/** Without what may be secret: its query, and who logs in. */
function describeRedirect({ statusCode = 0, headers: { location } }: IncomingMessage): string {
  if (statusCode < 300 || statusCode > 399 || location === undefined) return '';
  if (!URL.canParse(location, anyOrigin)) return ', a redirect';
  const { origin, pathname } = new URL(location, anyOrigin);
  return `, a redirect to ${origin === anyOrigin ? '' : origin}${pathname}`;
}

const anyOrigin = 'http://target.invalid';
