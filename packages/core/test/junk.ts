import type { Rng } from '../src/index.ts';

/** Any value at all: of every type, nested at random, with keys and texts that have hurt others. */
export function junk(rng: Rng, levels = 4): unknown {
  const make = oneOf(rng, levels > 0 ? [...flat, ...nested] : flat);
  return make(rng, levels - 1);
}

type Make = (rng: Rng, levels: number) => unknown;

const texts = [
  '',
  'orders',
  '../x',
  'a\0b',
  '\u001b[2J\n',
  '__proto__',
  '\ud800',
  '💥',
  '{"a":',
  'x'.repeat(5_000),
];
const keys = [...texts, 'constructor', 'toString', 'toJSON', 'length', 'service', 'then'];
const numbers = [0, -0, 1, -1, 1.5, 80, 65_536, 2 ** 53, Number.NaN, Infinity, -Infinity];

const flat: readonly Make[] = [
  () => undefined,
  () => null,
  (rng) => rng() < 0.5,
  (rng) => oneOf(rng, numbers),
  (rng) => oneOf(rng, texts),
  () => 10n,
  () => Symbol('junk'),
  () => () => 'junk',
  () => new Date(Number.NaN),
  () => new Map([[{}, []]]),
  () => new Uint8Array(3),
  () => Object.create(null) as unknown,
];

const nested: readonly Make[] = [
  (rng, levels) => Array.from({ length: Math.floor(rng() * 4) }, () => junk(rng, levels)),
  (rng, levels) =>
    Object.fromEntries(
      Array.from({ length: Math.floor(rng() * 4) }, () => [oneOf(rng, keys), junk(rng, levels)]),
    ),
];

function oneOf<T>(rng: Rng, list: readonly T[]): T {
  return list[Math.floor(rng() * list.length)]!;
}
