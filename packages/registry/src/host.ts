import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/** What `os.networkInterfaces()` returns. */
export type NetworkInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * An address of this machine that others can reach: its first external IPv4 address, else its first external IPv6
 * address, else `127.0.0.1`. Link-local addresses do not count: they mean nothing on another machine.
 */
export function detectHost(interfaces: () => NetworkInterfaces = networkInterfaces): string {
  const external = Object.values(interfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address));
  const found =
    external.find(({ family }) => family === 'IPv4') ?? external.find(({ family }) => family === 'IPv6');
  return found?.address ?? '127.0.0.1';
}

/** Whether a server bound to this address listens on all of them: good for listening, not for calling. */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === '';
}

function isLinkLocal(address: string): boolean {
  return /^(?:169\.254\.|fe[89ab][0-9a-f]:)/i.test(address);
}
