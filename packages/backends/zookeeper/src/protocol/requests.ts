import { ProtocolError, type JuteReader, type JuteWriter } from './jute.ts';
import { ZooKeeperError } from './zookeeper-error.ts';

/** What can be asked of a server: `Connection.send()` does. */
export interface Request<R> {
  readonly op: number;
  /** For messages. */
  readonly path: string;
  write(out: JuteWriter): void;
  read(answer: JuteReader): R;
}

/** Of the fields of a node those that are of use here. */
export interface Stat {
  /** Counts changes of the data since the node was created. */
  readonly version: number;
  /** The session that it ends with; 0 for a node that stays. */
  readonly ephemeralOwner: bigint;
  readonly children: number;
}

export interface Acl {
  /** Sum of `permissions`. */
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

export const permissions = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** Numbers of the operations, as in `ZooDefs.OpCode`. */
export const ops = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  multi: 14,
  removeWatches: 18,
  createContainer: 19,
  multiRead: 22,
  auth: 100,
  addWatch: 106,
  closeSession: -11,
  error: -1,
} as const;

const none = (): void => undefined;

/** @param kind `ephemeral`: ends with the session; `container`: vanishes some time after its last child (3.5.3) */
export function create(
  path: string,
  {
    data,
    acl,
    kind,
  }: {
    readonly data: string;
    readonly acl: readonly Acl[];
    readonly kind: 'persistent' | 'ephemeral' | 'container';
  },
): Request<void> {
  return {
    op: kind === 'container' ? ops.createContainer : ops.create,
    path,
    write(out) {
      out.text(path).text(data);
      writeAcl(out, acl);
      out.int({ persistent: 0, ephemeral: 1, container: 4 }[kind]);
    },
    read: (answer) => void answer.text(),
  };
}

/** @param version of the data, which must not have changed; -1 for any */
export function remove(path: string, version: number): Request<void> {
  return { op: ops.delete, path, write: (out) => void out.text(path).int(version), read: none };
}

export function setData(path: string, data: string, version: number): Request<Stat> {
  return {
    op: ops.setData,
    path,
    write: (out) => void out.text(path).text(data).int(version),
    read: readStat,
  };
}

/** @param watch the next change of the node, its beginning or its end is told, once */
export function exists(path: string, watch = false): Request<Stat> {
  return { op: ops.exists, path, write: (out) => void out.text(path).bool(watch), read: readStat };
}

export function getData(
  path: string,
  watch = false,
): Request<{ readonly data: Buffer; readonly stat: Stat }> {
  return {
    op: ops.getData,
    path,
    write: (out) => void out.text(path).bool(watch),
    read: (answer) => ({ data: answer.bytes(), stat: readStat(answer) }),
  };
}

export function getChildren(path: string, watch = false): Request<readonly string[]> {
  return {
    op: ops.getChildren,
    path,
    write: (out) => void out.text(path).bool(watch),
    read: (answer) => answer.list(() => answer.text()),
  };
}

/** What is read after it is not older than what the leader has now. */
export function sync(path: string): Request<void> {
  return { op: ops.sync, path, write: (out) => void out.text(path), read: none };
}

export function setAcl(path: string, acl: readonly Acl[]): Request<Stat> {
  return {
    op: ops.setAcl,
    path,
    write(out) {
      out.text(path);
      writeAcl(out, acl);
      out.int(-1);
    },
    read: readStat,
  };
}

/** Tells of each change of the node and of all below it, whether it exists or not, until the connection ends (3.6). */
export function addRecursiveWatch(path: string): Request<void> {
  return { op: ops.addWatch, path, write: (out) => void out.text(path).int(1), read: none };
}

export function removeWatches(path: string): Request<void> {
  return { op: ops.removeWatches, path, write: (out) => void out.text(path).int(3), read: none };
}

export const closeSession: Request<void> = { op: ops.closeSession, path: '', write: none, read: none };

/** All of these, or none: then it rejects with the reason. */
export function multi(requests: readonly Request<unknown>[], path: string): Request<void> {
  return {
    op: ops.multi,
    path,
    write: (out) => writeAll(out, requests),
    read(answer) {
      // Those that were well are marked as rolled back (0), those after the one to blame as inconsistent (-2).
      const errors = readAll(answer, requests).filter((result) => result instanceof ZooKeeperError);
      const error =
        errors.find(({ code }) => code !== 'Unknown' && code !== 'RuntimeInconsistency') ?? errors[0];
      if (error !== undefined) throw error;
    },
  };
}

/** Several readings at once; each has a result or an error of its own (3.6). */
export function multiRead<R>(
  requests: readonly Request<R>[],
  path: string,
): Request<readonly (R | ZooKeeperError)[]> {
  return {
    op: ops.multiRead,
    path,
    write: (out) => writeAll(out, requests),
    read: (answer) => readAll(answer, requests),
  };
}

function writeAll(out: JuteWriter, requests: readonly Request<unknown>[]): void {
  for (const request of requests) {
    out.int(request.op).bool(false).int(-1);
    request.write(out);
  }
  out.int(-1).bool(true).int(-1);
}

function readAll<R>(answer: JuteReader, requests: readonly Request<R>[]): (R | ZooKeeperError)[] {
  const results = requests.map((request) => {
    const op = answer.int();
    const done = answer.bool();
    answer.int();
    if (op === ops.error && !done) return new ZooKeeperError(answer.int(), request);
    if (op !== request.op)
      throw new ProtocolError(`a result of kind ${op} where ${request.op} was asked for`);
    return request.read(answer);
  });
  if (answer.int() !== -1 || !answer.bool()) throw new ProtocolError('more results than were asked for');
  return results;
}

function writeAcl(out: JuteWriter, acl: readonly Acl[]): void {
  out.list(acl, ({ permissions, scheme, id }) => out.int(permissions).text(scheme).text(id));
}

function readStat(answer: JuteReader): Stat {
  answer.long(); // czxid, mzxid, ctime, mtime
  answer.long();
  answer.long();
  answer.long();
  const version = answer.int();
  answer.int(); // cversion, aversion
  answer.int();
  const ephemeralOwner = answer.long();
  answer.int(); // dataLength
  const children = answer.int();
  answer.long(); // pzxid
  return { version, ephemeralOwner, children };
}
