import { listOf, numberOf, parseJson, textOf } from '../oracle.ts';

/** What becomes of a frame on its way. */
interface Passage {
  /** The frame whose bytes are sent in its place. */
  source: number;
  times: number;
  readonly changes: ((bytes: Buffer) => Buffer)[];
  /** Sent before it. */
  readonly ahead: Buffer[];
  /** How long it is held back, in milliseconds. */
  waitMs: number;
  /** The connection ends after so many of its bytes. */
  breakAt?: number;
}

/** What the input makes of a recording: a list of steps, `[kind, frame, …]`. Frames that are not there are counted on. */
export interface Plan {
  /** Nothing but the cuts differs from what was recorded. */
  readonly isTrue: boolean;
  /** Sizes of the pieces that come one by one, again and again; empty for frames as they are. */
  readonly pieces: readonly number[];
  sourceOf(frame: number): number;
  /** What is sent of the frame, given its bytes, when, and whether nothing comes after it. */
  passage(
    frame: number,
    bytes: Buffer,
  ): { readonly bytes: Buffer; readonly ends: boolean; readonly waitMs: number; readonly isTrue: boolean };
  /** A connection that ends is reset. */
  readonly resets: boolean;
  readonly registers: boolean;
}

export const truth = planOf(Buffer.from('[]'), { frames: [] });

export function planOf(input: Buffer, { frames }: { readonly frames: { readonly length: number } }): Plan {
  const pieces: number[] = [];
  const passages = new Map<number, Passage>();
  let resets = false;
  let registers = false;
  const of = (frame: number): Passage => {
    const index = frames.length === 0 ? 0 : frame % frames.length;
    const passage = passages.get(index) ?? untouched(index);
    passages.set(index, passage);
    return passage;
  };
  for (const step of listOf(parseJson(input)).slice(0, 40)) {
    const [kind, ...details] = listOf(step);
    const [frame = 0, at = 0, value = 0] = details.map(numberOf);
    if (kind === 'cut') pieces.push(1 + (frame % 97));
    else if (kind === 'twice') of(frame).times += 1;
    else if (kind === 'drop') of(frame).times = 0;
    else if (kind === 'swap') {
      const [one, other] = [of(frame), of(at)];
      [one.source, other.source] = [other.source, one.source];
    } else if (kind === 'break') of(frame).breakAt = at;
    else if (kind === 'wait') of(frame).waitMs = at % mostWaitMs;
    else if (kind === 'ahead') of(frame).ahead.push(Buffer.from(textOf(details[1]), 'latin1'));
    else if (kind === 'reset') resets = true;
    else if (kind === 'register') registers = true;
    else if (kind === 'byte') of(frame).changes.push((bytes) => withByte(bytes, at, value));
    else if (kind === 'put') of(frame).changes.push((bytes) => withText(bytes, at, value, details[3]));
  }
  return {
    isTrue: passages.size === 0,
    pieces,
    resets,
    registers,
    sourceOf: (frame) => passages.get(frame)?.source ?? frame,
    passage(frame, bytes) {
      const { times, changes, ahead, waitMs, breakAt } = passages.get(frame) ?? untouched(frame);
      const once = changes.reduce((changed, change) => change(changed), bytes);
      const all = Buffer.concat([...ahead, ...Array.from({ length: Math.min(times, 4) }, () => once)]);
      const isTrue = times === 1 && changes.length === 0;
      if (breakAt === undefined) return { bytes: all, ends: false, waitMs, isTrue };
      return { bytes: all.subarray(0, breakAt % (all.length + 1)), ends: true, waitMs, isTrue };
    },
  };
}

const untouched = (frame: number): Passage => ({
  source: frame,
  times: 1,
  changes: [],
  ahead: [],
  waitMs: 0,
});

const mostWaitMs = 1_000;

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes);
  if (changed.length > 0) changed[at % changed.length] = value;
  return changed;
}

/** Each character is a byte. */
function withText(bytes: Buffer, at: number, length: number, text: unknown): Buffer {
  const start = at % (bytes.length + 1);
  const put = Buffer.from(textOf(text), 'latin1');
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + (length % 64))]);
}
