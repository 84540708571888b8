import type { Server } from './protocol/connector.ts';

export interface ConnectionString {
  readonly servers: readonly Server[];
  /** `` or `/a/b`. */
  readonly chroot: string;
}

/** `host1:2181,host2,[::1]:2181/chroot`, as all clients of ZooKeeper take it; undefined when it is none. */
export function parseConnectionString(text: string): ConnectionString | undefined {
  const slash = text.indexOf('/');
  const hosts = slash === -1 ? text : text.slice(0, slash);
  const chroot = slash === -1 ? '' : text.slice(slash).replace(/\/$/, '');
  const servers = hosts.split(',').map((host) => parseServer(host.trim()));
  if (!servers.every((server) => server !== undefined)) return undefined;
  return chroot === '' || isPath(chroot) ? { servers, chroot } : undefined;
}

/** Of visible ASCII, without `.` and `..`, which ZooKeeper refuses, and without `/zookeeper`, which is its own. */
export function isPath(path: string): boolean {
  return (
    /^(\/(?!\.{1,2}(\/|$))[!-.0-~]+)+$/.test(path) && path.length <= 256 && !/^\/zookeeper(\/|$)/.test(path)
  );
}

function parseServer(text: string): Server | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? 2181);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
