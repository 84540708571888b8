import { JuteWriter, ProtocolError, type JuteReader } from './jute.ts';
import { ops } from './requests.ts';

/** What a server knows of us, and we of it. Kept over connections. */
export interface SessionState {
  /** 0 for none yet. */
  id: bigint;
  password: Buffer;
  /** The newest that was seen; a server that is behind it refuses us. */
  lastZxid: bigint;
  /** Rounds in a row in which a server has closed the connection without a word, up to `patienceWith`. */
  refusals: number;
}

export interface Auth {
  readonly scheme: string;
  readonly credentials: string;
}

export const newSession = (lastZxid = 0n): SessionState => ({
  id: 0n,
  password: Buffer.alloc(16),
  lastZxid,
  refusals: 0,
});

/** Refusals after which the servers may have lost their data. A session that is just being ended is refused once. */
export const patienceWith = ({ id }: SessionState): number => (id === 0n ? 1 : 2);

/** Whether it is asked for without our zxid, and so taken by servers that have lost their data. */
export const isDoubtful = (session: SessionState): boolean => session.refusals === patienceWith(session);

export function connectFrame(session: SessionState, timeoutMs: number): Buffer {
  return new JuteWriter()
    .int(0)
    .long(isDoubtful(session) ? 0n : session.lastZxid)
    .int(Math.min(timeoutMs, 0x7f_ff_ff_ff))
    .long(session.id)
    .bytes(session.password)
    .bool(false)
    .frame();
}

export const authXid = -4;

export function authFrame({ scheme, credentials }: Auth): Buffer {
  return new JuteWriter()
    .int(authXid)
    .int(ops.auth)
    .int(0)
    .text(scheme)
    .bytes(Buffer.from(credentials))
    .frame();
}

/** @returns undefined when the server does not know the session any more */
export function readConnectResponse(
  answer: JuteReader,
): { readonly timeoutMs: number; readonly id: bigint; readonly password: Buffer } | undefined {
  answer.int();
  const timeoutMs = answer.int();
  const id = answer.long();
  const password = Buffer.from(answer.bytes());
  if (timeoutMs <= 0 || id === 0n) return undefined;
  if (password.length > 64) throw new ProtocolError(`a password of ${password.length} bytes`);
  return { timeoutMs, id, password };
}
