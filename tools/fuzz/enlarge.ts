import type { FuzzTarget } from './target.ts';

export interface Enlargement {
  /** What was multiplied. */
  readonly how: string;
  /** An input of about so many bytes. */
  to(bytes: number): Buffer;
}

/** Ways to make a long input of a short one: the whole of it, a piece, a word or a value, again and again. */
export function* enlargements(
  { format, words = [] }: Pick<FuzzTarget, 'format' | 'words'>,
  input: Buffer,
): Generator<Enlargement> {
  if (input.length === 0) return;
  yield { how: 'all of it', to: (bytes) => repeated(input, bytes) };
  for (const at of new Set([0, input.length >> 2, input.length >> 1, input.length - 1])) {
    for (const length of [1, 2, 5, 20]) yield within(input, at, input.subarray(at, at + length));
  }
  for (const word of words) yield within(input, input.length >> 1, Buffer.from(word));
  if (format === 'json') yield* valuesOf(input.toString());
}

function within(input: Buffer, at: number, piece: Buffer): Enlargement {
  const how = `${JSON.stringify(piece.toString('latin1'))} at ${at}`;
  return {
    how,
    to: (bytes) => Buffer.concat([input.subarray(0, at), repeated(piece, bytes), input.subarray(at)]),
  };
}

function* valuesOf(text: string): Generator<Enlargement> {
  try {
    JSON.parse(text);
  } catch {
    return; // a corpus also has what is no JSON
  }
  const mostValues = 60;
  let count = 0;
  JSON.parse(text, (_, value: unknown) => (count++, value));
  for (let place = 0; place < Math.min(count, mostValues); place += 1) {
    yield {
      how: `value ${place}`,
      to(bytes) {
        let at = 0;
        const long = (_: string, value: unknown): unknown =>
          at++ === place ? lengthened(value, bytes) : value;
        return Buffer.from(JSON.stringify(JSON.parse(text, long)));
      },
    };
  }
}

function lengthened(value: unknown, bytes: number): unknown {
  const times = Math.ceil(bytes / Math.max(1, JSON.stringify(value).length));
  if (typeof value === 'string') return (value || 'a').repeat(times);
  const copies = Array.from({ length: times }, (_, copy) => copy);
  if (Array.isArray(value)) return copies.flatMap(() => value as readonly unknown[]);
  if (typeof value !== 'object' || value === null) return copies.map(() => value);
  const entries = Object.entries(value);
  return Object.fromEntries(
    copies.flatMap((copy) => entries.map(([key, each]) => [copy === 0 ? key : `${key}${copy}`, each])),
  );
}

function repeated(piece: Buffer, bytes: number): Buffer {
  return Buffer.alloc(bytes, piece);
}
