import type { Rng } from '@sd/core';
import { mutateJson } from './mutate-json.ts';
import type { FuzzTarget } from './target.ts';

/** Longest input: large enough for everything that has a bound, small enough for thousands of runs. */
export const maxInputLength = 16_384;

/** Bytes and words that lie at the edges of what formats know. */
const edges = [0, 1, 2, 4, 10, 13, 32, 34, 46, 58, 64, 91, 92, 123, 125, 127, 128, 192, 0xc0, 0xff];
const numbers = [
  0, 1, -1, 2, 127, 128, 255, 256, 32_767, 65_535, 65_536, 0x7fff_ffff, -0x8000_0000, 80_000_001,
];

/** An input that is `rounds` changes away from `input`. The same randomness gives the same. */
export function mutate(
  target: Pick<FuzzTarget, 'format' | 'words'>,
  input: Buffer,
  {
    rng,
    rounds,
    others = [],
  }: { readonly rng: Rng; readonly rounds: number; readonly others?: readonly Buffer[] },
): Buffer {
  let changed = input;
  for (let round = 0; round < rounds; round += 1) {
    changed = mutateOnce(target, changed, rng, others).subarray(0, maxInputLength);
  }
  return Buffer.from(changed);
}

function mutateOnce(
  { format, words = [] }: Pick<FuzzTarget, 'format' | 'words'>,
  input: Buffer,
  rng: Rng,
  others: readonly Buffer[],
): Buffer {
  // Also what is no JSON any more, or no text, comes from outside.
  if (format === 'bytes' || rng() < 0.1) return mutateBytes(input, rng, others);
  if (format === 'text' || rng() < 0.1) return mutateText(input, rng, words);
  if (format === 'lines') return mutateLines(input, rng, words, others);
  return Buffer.from(mutateJson(input.toString(), rng, words, others) ?? mutateText(input, rng, words));
}

function mutateLines(input: Buffer, rng: Rng, words: readonly string[], others: readonly Buffer[]): Buffer {
  const lines = input.toString().split('\n');
  const at = below(lines.length, rng);
  const to = below(lines.length, rng);
  const line = lines[at] ?? '';
  switch (below(6, rng)) {
    case 0: // twice, somewhere
      lines.splice(to, 0, line);
      break;
    case 1: // elsewhere
      lines.splice(at, 1);
      lines.splice(to, 0, line);
      break;
    case 2:
      lines.splice(at, 1);
      break;
    case 3: // from another stream
      lines.splice(to, 0, choose(choose(others, rng)?.toString().split('\n') ?? [], rng) ?? '');
      break;
    case 4: // cut
      lines[at] = line.slice(0, below(line.length + 1, rng));
      break;
    default:
      lines[at] = mutateJson(line, rng, words, []) ?? mutateText(Buffer.from(line), rng, words).toString();
  }
  return Buffer.from(lines.join('\n'));
}

function mutateText(input: Buffer, rng: Rng, words: readonly string[]): Buffer {
  const text = input.toString();
  const at = below(text.length + 1, rng);
  const to = Math.min(text.length, at + below(16, rng));
  switch (below(6, rng)) {
    case 0:
      return Buffer.from(text.slice(0, at) + text.slice(to));
    case 1:
      return Buffer.from(text.slice(0, at) + text.slice(at, to).repeat(1 + below(4, rng)) + text.slice(at));
    case 2:
      return Buffer.from(text.slice(0, at) + String.fromCodePoint(codePoint(rng)) + text.slice(at));
    case 3: // the same again and again: what costs more than it should is found so
      return Buffer.from(
        text.slice(0, at) + text.slice(at, at + 2).repeat(1 + below(2_000, rng)) + text.slice(to),
      );
    default: {
      const word = choose(words, rng) ?? String(choose(numbers, rng));
      return Buffer.from(text.slice(0, at) + word + text.slice(rng() < 0.5 ? at : to));
    }
  }
}

function mutateBytes(input: Buffer, rng: Rng, others: readonly Buffer[]): Buffer {
  const at = below(input.length + 1, rng);
  const bytes = Buffer.from(input);
  switch (below(8, rng)) {
    case 0:
      if (at < bytes.length) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << below(8, rng)), at);
      return bytes;
    case 1:
      if (at < bytes.length) bytes.writeUInt8(choose(edges, rng) ?? 0, at);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(9, rng))]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256, rng)]), bytes.subarray(at)]);
    case 5: {
      const other = choose(others, rng) ?? bytes;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length + 1, rng))]);
    }
    case 6:
      if (at + 2 <= bytes.length) bytes.writeUInt16BE((choose(numbers, rng) ?? 0) & 0xffff, at);
      return bytes;
    default:
      if (at + 4 <= bytes.length) bytes.writeInt32BE((choose(numbers, rng) ?? 0) | 0, at);
      return bytes;
  }
}

function codePoint(rng: Rng): number {
  const most = choose([0x20, 0x7f, 0xff, 0xffff, 0x10_ffff], rng) ?? 0x7f;
  return below(most + 1, rng);
}

export const below = (limit: number, rng: Rng): number => Math.floor(rng() * limit);

export const choose = <T>(values: readonly T[], rng: Rng): T | undefined => values[below(values.length, rng)];
