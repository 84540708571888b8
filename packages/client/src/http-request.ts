import { addressOf, ConfigValidationError, describeValue, type ServiceInstance } from '@sd/core';
import type { Attempt } from '@sd/discovery';
import { Readable } from 'node:stream';
import { UnsupportedProtocolError, UnusableAddressError } from './errors.ts';
import { validateHeaderValues, type RequestHeaders, type RequestOptions } from './request-options.ts';

/** What is sent, the same with each attempt. */
export interface Content {
  /** Names in lower case. */
  readonly headers: RequestHeaders;
  readonly body: string | Uint8Array | Readable | undefined;
}

/** @throws {ConfigValidationError} it cannot be sent */
export function contentOf(method: string, { headers, json, form, body }: RequestOptions): Content {
  validateHeaderValues('Request', headers);
  if (['GET', 'HEAD'].includes(method) && [json, form, body].some((content) => content !== undefined)) {
    throw new ConfigValidationError('Request', [
      { field: 'method', received: method, expected: 'a method with a body, e.g. POST' },
    ]);
  }
  if (body instanceof Readable && !body.readable) {
    throw new ConfigValidationError('Request', [
      { field: 'body', received: 'a stream that was read or destroyed', expected: 'a stream to read' },
    ]);
  }
  const own = lowerCased(headers);
  if (json !== undefined) {
    return { headers: { 'content-type': 'application/json', ...own }, body: serialize(json) };
  }
  if (form !== undefined) {
    const type = 'application/x-www-form-urlencoded';
    return { headers: { 'content-type': type, ...own }, body: String(new URLSearchParams(entriesOf(form))) };
  }
  return { headers: own, body };
}

export function lowerCased(headers: RequestHeaders = {}): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function entriesOf(params: NonNullable<RequestOptions['searchParams']>): [string, string][] {
  if (params instanceof URLSearchParams) return [...params];
  return Object.entries(params).map(([name, value]) => [name, String(value)]);
}

/** Once for all attempts, and before one is made: what cannot be sent is no fault of an endpoint. */
function serialize(json: unknown): string {
  const expected = 'what JSON can say';
  let text: unknown;
  try {
    text = JSON.stringify(json);
  } catch (cause) {
    const received = cause instanceof TypeError ? 'circular, or has a bigint' : 'an object that throws';
    throw new ConfigValidationError('Request', [{ field: 'json', received, expected }]);
  }
  if (typeof text === 'string') return text;
  throw requestMistake('json', json, expected); // a function or a symbol
}

export function urlOf(
  { instance }: Attempt,
  path: string,
  searchParams: RequestOptions['searchParams'],
): string {
  const origin = originOf(instance);
  if (searchParams === undefined) return origin + path;
  const url = new URL(origin + path);
  for (const [name, value] of entriesOf(searchParams)) url.searchParams.append(name, value);
  return url.href;
}

/**
 * `https://10.0.0.7:8443`
 * @throws {UnsupportedProtocolError} {@link UnusableAddressError}
 */
export function originOf(instance: ServiceInstance): string {
  const known = origins.get(instance);
  if (known !== undefined) return known;
  const { service, protocol } = instance;
  const endpoint = addressOf(instance);
  if (protocol !== 'http' && protocol !== 'https')
    throw new UnsupportedProtocolError(protocol, { service, endpoint });
  const origin = `${protocol}://${endpoint}`;
  if (!URL.canParse(origin)) throw new UnusableAddressError({ service, endpoint });
  origins.set(instance, origin);
  return origin;
}

/** Instances do not change, and each is called many times. */
const origins = new WeakMap<ServiceInstance, string>();

export function validateMethod(method: unknown): string {
  if (typeof method === 'string' && /^[A-Za-z]{1,32}$/.test(method)) return method.toUpperCase();
  throw requestMistake('method', method, 'an HTTP method such as "GET"');
}

/** @returns the path below the base path, which it cannot leave, from `/` or `?` on */
export function resolvePath(basePath: string, path: unknown): string {
  const expected = 'a path such as "/items/1": the host comes from discovery';
  if (typeof path !== 'string' || isAbsolute(path)) throw requestMistake('path', path, expected);
  const target = basePath + (path === '' || /^[/?]/.test(path) ? path : `/${path}`);
  if (isPlain.test(target)) return target;
  const { pathname } = new URL(originOfAny + target);
  if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) {
    throw requestMistake('path', path, `a path that stays below "${basePath}"`);
  }
  return target;
}

/** Without anything that could lead up or out of a path: most are, and need no parser. */
const isPlain = /^(?:\/[\w~!$&'()*+,;=:@-]+)+\/?$/;

/** As it stands in a URL, without a slash at its end. */
export function normalizeBasePath(basePath = ''): string {
  return new URL(`${originOfAny}/${basePath.replace(/^\/+/, '')}`).pathname.replace(/(?<!\/)\/+$/, '');
}

export const isAbsolute = (path: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(path);

const originOfAny = 'http://any';

function requestMistake(field: string, received: unknown, expected: string): ConfigValidationError {
  return new ConfigValidationError('Request', [{ field, received: describeValue(received), expected }]);
}
