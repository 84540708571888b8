/** An error that a server answered with. */
export class ZooKeeperError extends Error {
  readonly code: ZooKeeperErrorCode | 'Unknown';
  /** What was asked for: number of the operation, and the path. */
  readonly op: number;
  readonly path: string;

  constructor(number: number, { op, path }: { readonly op: number; readonly path: string }) {
    const code = codes.get(number) ?? 'Unknown';
    super(`${code} (${number}) for "${path}"`);
    this.name = 'ZooKeeperError';
    this.code = code;
    this.op = op;
    this.path = path;
  }
}

export type ZooKeeperErrorCode = (typeof named)[number][1];

/** As in `KeeperException.Code`, without those that only exist inside of clients. */
const named = [
  [-1, 'SystemError'],
  [-2, 'RuntimeInconsistency'],
  [-3, 'DataInconsistency'],
  [-4, 'ConnectionLoss'],
  [-5, 'MarshallingError'],
  [-6, 'Unimplemented'],
  [-7, 'OperationTimeout'],
  [-8, 'BadArguments'],
  [-12, 'UnknownSession'],
  [-100, 'ApiError'],
  [-101, 'NoNode'],
  [-102, 'NoAuth'],
  [-103, 'BadVersion'],
  [-108, 'NoChildrenForEphemerals'],
  [-110, 'NodeExists'],
  [-111, 'NotEmpty'],
  [-112, 'SessionExpired'],
  [-113, 'InvalidCallback'],
  [-114, 'InvalidAcl'],
  [-115, 'AuthFailed'],
  [-118, 'SessionMoved'],
  [-119, 'NotReadOnly'],
  [-120, 'EphemeralOnLocalSession'],
  [-121, 'NoWatcher'],
  [-122, 'RequestTimeout'],
  [-124, 'SessionClosedRequireSaslAuth'],
  [-125, 'QuotaExceeded'],
  [-127, 'ThrottledOp'],
] as const;

const codes: ReadonlyMap<number, ZooKeeperErrorCode> = new Map(named);

/** No type guard: what has another code may be a `ZooKeeperError` as well. */
export function hasCode(error: unknown, ...codes: readonly ZooKeeperErrorCode[]): boolean {
  return error instanceof ZooKeeperError && error.code !== 'Unknown' && codes.includes(error.code);
}
