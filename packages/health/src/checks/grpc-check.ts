import { addressOf, validate } from '@sd/core';
import {
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import * as v from 'valibot';
import { port as portSchema } from '../check-option-schemas.ts';
import { finding, unhealthy } from '../finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from '../health-check.ts';
import { ConnectionProgress } from './connection-progress.ts';
import { exchange, type Exchange } from './exchange.ts';
import { decodeResponse, encodeRequest } from './grpc-health-message.ts';
import { TlsSettings, tlsSchema, type TlsOptions } from './tls-options.ts';

export interface GrpcCheckOptions {
  /** Name of the gRPC service to ask for, e.g. `shop.v1.Orders`. Default: the server as a whole. */
  readonly service?: string | undefined;
  /** Default: the target's own port. */
  readonly port?: number | undefined;
  /** Whether, and how, to use TLS. Default: when the target's protocol is `grpcs` or `https`. */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Replaces the target's address in the request. */
  readonly authority?: string | undefined;
  /** Sent along; names in small letters. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Asks `grpc.health.v1.Health/Check`, on a connection of its own. SERVING is healthy, everything else unhealthy.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function grpcCheck(options: GrpcCheckOptions = {}): HealthCheck {
  validate('grpcCheck', optionsSchema, options);
  const { service = '', port, tls, authority, metadata = {} } = options;
  const settings = {
    service,
    authority,
    metadata: { ...metadata },
    tls: new TlsSettings('grpcCheck', typeof tls === 'object' ? tls : undefined),
  };
  return {
    name: service === '' ? 'grpc' : `grpc ${service}`,
    check(target, { signal }) {
      const secure =
        tls === undefined ? target.protocol === 'grpcs' || target.protocol === 'https' : tls !== false;
      const to = { host: target.host, port: port ?? target.port };
      return exchange(signal, (end) => ask(to, secure, settings, end));
    },
  };
}

/** As gRPC allows them, without what the protocol itself sends. */
const metadataName =
  /^(?!grpc-|(?:te|host|connection|content-type|http2-settings|keep-alive|proxy-connection|transfer-encoding|upgrade)$)[0-9a-z_.-]+$/;
const nameText = 'the name of metadata: small letters, digits, "_", "." and "-", not reserved by gRPC';
const valueText = 'a value of printable ASCII characters';
const authorityText = 'an authority such as "orders.internal:443"';
const serviceText = 'the name of a service, at most 1024 characters';

const optionsSchema = v.strictObject(
  {
    service: v.optional(v.pipe(v.string(serviceText), v.maxLength(1_024, serviceText))),
    port: v.optional(portSchema),
    tls: v.optional(v.union([v.boolean(), tlsSchema], 'true, false or an object of TLS options')),
    authority: v.optional(
      v.pipe(v.string(authorityText), v.regex(/^[A-Za-z0-9._~%:[\]-]{1,1024}$/, authorityText)),
    ),
    metadata: v.optional(
      v.record(
        v.pipe(v.string(), v.regex(metadataName, nameText)),
        v.pipe(v.string(valueText), v.regex(/^[\x20-\x7e]*$/, valueText)),
        'an object of strings',
      ),
    ),
  },
  'an object',
);

interface Settings {
  readonly service: string;
  readonly authority: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tls: TlsSettings;
}

type End = (result: CheckResult) => void;

function ask(target: CheckTarget, secure: boolean, settings: Settings, end: End): Exchange {
  const { host, port } = target;
  const progress = new ConnectionProgress();
  const failed = (error: unknown): void => end(progress.failure(error));
  const socket = secure
    ? connectSecure({ host, port, ALPNProtocols: ['h2'], ...settings.tls.connectOptions(host) })
    : connectPlain({ host, port });
  progress.follow(socket, { secure });
  // Before HTTP/2 listens: it would report the failure as one of its own.
  socket.on('error', failed);
  socket.once('secureConnect', () => {
    if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') end(unhealthy('the server has no HTTP/2'));
  });
  const session = connectHttp2(secure ? 'https://target' : 'http://target', {
    createConnection: () => socket,
    settings: { enablePush: false },
  });
  session.on('error', failed);
  session.once('close', () => end(unhealthy('the connection was closed without an answer')));

  const stream = session.request(requestHeaders(target, secure, settings));
  const chunks: Buffer[] = [];
  let bytes = 0;
  let heads: Heads = {};
  stream.on('error', failed);
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxResponseBytes) end(unhealthy(`answered more than ${maxResponseBytes} bytes`));
  });
  stream.once('response', (headers) => (heads = { ...headers }));
  stream.once('trailers', (trailers: Heads) => (heads = { ...heads, ...trailers }));
  stream.once('end', () => end(judge(heads, Buffer.concat(chunks), settings.service)));
  stream.end(encodeRequest(settings.service));
  return {
    close() {
      session.destroy();
      socket.destroy();
    },
    cutOff: (reason) => progress.cutOff(reason),
  };
}

/** A response has 7 bytes; the rest is for fields that a newer version may add. */
const maxResponseBytes = 4_096;

function requestHeaders(target: CheckTarget, secure: boolean, settings: Settings): OutgoingHttpHeaders {
  return {
    ...settings.metadata,
    ':method': 'POST',
    ':scheme': secure ? 'https' : 'http',
    ':authority': settings.authority ?? addressOf(target),
    ':path': '/grpc.health.v1.Health/Check',
    te: 'trailers',
    'content-type': 'application/grpc',
  };
}

/** Headers and trailers: a failure may come without a message, and has all in one then. */
type Heads = IncomingHttpHeaders & IncomingHttpStatusHeader;

function judge(heads: Heads, body: Buffer, service: string): CheckResult {
  const { ':status': httpStatus, 'grpc-status': grpcStatus, 'grpc-message': message } = heads;
  if (httpStatus !== 200) return unhealthy(`answered HTTP ${String(httpStatus)}, which is not gRPC`);
  if (grpcStatus === undefined) return unhealthy('answered without a grpc-status: no gRPC server');
  if (grpcStatus === '12') return unhealthy('the server does not implement grpc.health.v1');
  if (grpcStatus === '5') return unhealthy(`the server knows no service "${service}"`);
  if (grpcStatus !== '0') return unhealthy(`grpc-status ${String(grpcStatus)}: ${decodeMessage(message)}`);
  const status = decodeResponse(body);
  if (status === undefined) return unhealthy('answered what is no HealthCheckResponse');
  return finding(status === 'SERVING' ? 'healthy' : 'unhealthy', status);
}

/** Percent-encoded, by anybody. */
function decodeMessage(message: string | readonly string[] = ''): string {
  const text = String(message);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
