import { JuteWriter, ProtocolError, type JuteReader } from './jute.ts';
import { ops } from './requests.ts';

/** What a server knows of us, and we of it. Kept over connections. */
export interface SessionState {
  /** 0 for none yet. */
  id: bigint;
  password: Buffer;
  /** The newest that was seen; a server that is behind it refuses us. */
  lastZxid: bigint;
  /** Rounds in a row in which a server has closed the connection without a word. */
  refusals: number;
  /** After such refusals a server may have lost its data: it is asked once more without our zxid. */
  isDoubtful: boolean;
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
  isDoubtful: false,
});

export function connectFrame(session: SessionState, timeoutMs: number): Buffer {
  return new JuteWriter()
    .int(0)
    .long(session.isDoubtful ? 0n : session.lastZxid)
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
