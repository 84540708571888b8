import type { Rng } from '@sd/core';
import { below, choose } from './mutate.ts';
import { parseJson } from './oracle.ts';

/** Keys that mean something to the language, whatever they mean to us. */
const keys = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toJSON', 'length', '', '0'];

/** Values at the edges; `revive()` makes of those with a `$` what JSON has no word for. */
const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  1.5,
  65_536,
  1e21,
  1e308,
  5e-324,
  '',
  '.',
  '..',
  ' ',
  '0',
  '\u0000',
  '\ud800',
  'é😀',
  'x'.repeat(300),
  [],
  {},
  [null],
  [[]],
  { toString: 1, valueOf: 1 },
  { length: 1 },
  '$undefined',
  '$nan',
  '$infinity',
  '$function',
  '$symbol',
  '$bigint',
  '$circular',
  '$date',
  '$bare',
];

/** Stands for what is nested without end; JSON.stringify() could not write it. */
const deepMark = '$deep$';

interface Place {
  readonly holder: object;
  readonly key: string;
}

/** The JSON text with one value, key or element changed; undefined when `text` is no JSON. */
export function mutateJson(
  text: string,
  rng: Rng,
  words: readonly string[],
  others: readonly Buffer[],
): string | undefined {
  const top = { value: parseJson(text) };
  if (top.value === undefined) return undefined;
  const places = placesIn(top);
  const place = choose(places, rng);
  if (place === undefined) return undefined;
  change(place, places, rng, words, others);
  const depth = 2 + below(rng() < 0.1 ? 4_000 : 40, rng);
  return written(top.value)?.replace(`"${deepMark}"`, '['.repeat(depth) + ']'.repeat(depth));
}

function change(
  { holder, key }: Place,
  places: readonly Place[],
  rng: Rng,
  words: readonly string[],
  others: readonly Buffer[],
): void {
  const value: unknown = Reflect.get(holder, key);
  const set = (next: unknown): void => put(holder, key, next);
  switch (below(10, rng)) {
    case 0:
      return set(choose(values, rng));
    case 1:
      return set(choose(words, rng) ?? choose(values, rng));
    case 2:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else Reflect.deleteProperty(holder, key);
      return;
    case 3: // what is elsewhere, here
      return set(copyOf(places, rng));
    case 4: // one more
      if (Array.isArray(value)) value.splice(below(value.length + 1, rng), 0, copyOf(places, rng));
      else if (typeof value === 'object' && value !== null)
        put(value, choose(rng() < 0.5 ? keys : words, rng) ?? 'x', copyOf(places, rng));
      else set(rng() < 0.5 ? [value] : { [String(choose(keys, rng))]: value });
      return;
    case 5: // under another name
      Reflect.deleteProperty(holder, key);
      return put(holder, choose(rng() < 0.5 ? keys : words, rng) ?? 'x', value);
    case 6:
      return set(deepMark);
    case 7: {
      const other = parseJson(choose(others, rng) ?? '');
      return set(other === undefined ? value : choose(placesIn({ other }).map(read), rng));
    }
    default:
      return set(nudged(value, rng, words));
  }
}

/** Something of the same kind. */
function nudged(value: unknown, rng: Rng, words: readonly string[]): unknown {
  if (typeof value === 'number')
    return choose([value + 1, -value, value / 3, value * 1e6, value + 0.5, String(value)], rng);
  if (typeof value !== 'string') return choose(values, rng);
  const at = below(value.length + 1, rng);
  const piece = choose([...words, ' ', '.', '/', ':', '%', '@', '-', '\n', '\ud83d', '0', 'é'], rng) ?? '';
  return choose(
    [
      value.slice(0, at),
      value.slice(at),
      value.slice(0, at) + piece + value.slice(at),
      value.repeat(40),
      Number(value),
    ],
    rng,
  );
}

function placesIn(top: object): readonly Place[] {
  const places: Place[] = [];
  const open: object[] = [top];
  for (let holder = open.pop(); holder !== undefined && places.length < 2_000; holder = open.pop()) {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      const value: unknown = Reflect.get(holder, key);
      if (typeof value === 'object' && value !== null) open.push(value);
    }
  }
  return places;
}

const read = ({ holder, key }: Place): unknown => Reflect.get(holder, key);

function copyOf(places: readonly Place[], rng: Rng): unknown {
  const place = choose(places, rng);
  return place === undefined ? null : parseJson(written(read(place)) ?? '');
}

/** Also `__proto__` becomes a property like any other, as it does when JSON is read. */
function put(holder: object, key: string, value: unknown): void {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) return;
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Nothing for what is nested too deep. */
function written(value: unknown): string | undefined {
  try {
    return JSON.stringify(value ?? null);
  } catch {
    return undefined;
  }
}
