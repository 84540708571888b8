import type { Source, Wish } from './construction.ts';
import { lineageOf } from './lineage.ts';

/**
 * What decorators with `experimentalDecorators` asked for: they run before there is an instance, and are told no more than
 * where they stand. By prototype, and by class.
 */
const properties = new WeakMap<object, Map<string | symbol, Wish<unknown>>>();
const parameters = new WeakMap<object, Map<number, Wish<unknown>>>();

export function wishForProperty(prototype: object, name: string | symbol, wish: Wish<unknown>): void {
  remember(properties, prototype, name, wish);
}

export function wishForParameter(Class: object, index: number, wish: Wish<unknown>): void {
  remember(parameters, Class, index, wish);
}

/** What a constructor is called with: the caller's own arguments fill, in order, the parameters that are not decorated. */
export function argumentsOf(Class: object, own: readonly unknown[], source: Source): readonly unknown[] {
  const wishes = parametersOf(Class);
  const length = Math.max(own.length + wishes.size, ...[...wishes.keys()].map((index) => index + 1));
  const left = own.values();
  return Array.from({ length }, (_, index) => {
    const wish = wishes.get(index);
    return wish === undefined ? left.next().value : wish(source);
  });
}

/** Assigns the decorated properties of the instance, its class's and those of the base classes. */
export function fillProperties(instance: object, source: Source): void {
  const wishes = lineageOf(instance)
    .toReversed()
    .flatMap((prototype) => [...(properties.get(prototype) ?? [])]);
  for (const [name, wish] of new Map(wishes)) Reflect.set(instance, name, wish(source));
}

/** Of the nearest class that has a constructor of its own: an implied one hands its arguments on, and names none. */
function parametersOf(Class: object): ReadonlyMap<number, Wish<unknown>> {
  const constructed = lineageOf(Class).find(
    (each) => parameters.has(each) || (typeof each === 'function' && hasConstructor(each)),
  );
  return (constructed && parameters.get(constructed)) ?? new Map();
}

/** Parameters that have a default, and those of the rest, do not count in the length. */
function hasConstructor(Class: { readonly length: number }): boolean {
  const source = Function.prototype.toString.call(Class);
  return Class.length > 0 || (written.test(source) && !handedOn.test(source));
}

const written = /(?<![.\w$#])constructor\s*\(/;
/** An implied one that a compiler has written out to initialize fields, and that of a mixin. */
const handedOn =
  /(?<![.\w$#])constructor\s*\(\s*(?:\.\.\.([\w$]+)\s*)?\)\s*\{\s*super\(\s*\.\.\.(?:arguments|\1)\s*\)/;

function remember<K>(
  all: WeakMap<object, Map<K, Wish<unknown>>>,
  owner: object,
  place: K,
  wish: Wish<unknown>,
): void {
  all.set(owner, (all.get(owner) ?? new Map<K, Wish<unknown>>()).set(place, wish));
}
