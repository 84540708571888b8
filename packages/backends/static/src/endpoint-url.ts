import { describeValue, type ServiceInstanceInit } from '@sd/core';

export type Endpoint = Pick<ServiceInstanceInit, 'protocol' | 'host' | 'port'>;

/** An endpoint, or why the text is none. */
export type ParsedUrl =
  | { readonly endpoint: Endpoint; readonly received?: never; readonly expected?: never }
  | { readonly endpoint?: never; readonly received: string; readonly expected: string };

/**
 * Reads `http://10.0.0.1:8080`, the short way to write an instance. An IPv6 address stands in brackets.
 * Refuses a path, a query and credentials, because an instance has no place for them.
 */
export function parseEndpointUrl(text: string): ParsedUrl {
  // Whatever it is otherwise, a part of it may be a password.
  if (text.includes('@')) return withCredentials;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    return { received: describeValue(text), expected: 'a URL such as "http://10.0.0.1:8080"' };
  }
  if (url.pathname.length > 1 || url.search !== '' || url.hash !== '') {
    // There are keys in queries.
    return {
      received: describeValue(text.replace(/([?#]).+/s, '$1***')),
      expected: 'a URL that ends after the port',
    };
  }
  const protocol = url.protocol.slice(0, -1);
  const port = url.port === '' ? defaultPorts.get(protocol) : Number(url.port);
  if (port === undefined) {
    return { received: describeValue(text), expected: 'a URL with a port, as its scheme has no default one' };
  }
  return { endpoint: { protocol, host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port } };
}

export const withCredentials = {
  received: 'a URL with credentials',
  expected: 'a URL without user name and password',
};

/** The schemes whose own port the URL standard drops, even where it was written out. */
const defaultPorts = new Map([
  ['http', 80],
  ['https', 443],
  ['ws', 80],
  ['wss', 443],
  ['ftp', 21],
]);
