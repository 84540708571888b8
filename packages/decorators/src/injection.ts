import { currentSource, type Wish } from './construction.ts';
import { NotInjectedError } from './errors.ts';
import { wishForParameter, wishForProperty } from './legacy-wishes.ts';
import { isStandardContext, misplaced } from './placement.ts';

/** A decorator of either kind, for places that take a `V`. */
export interface Injection<V> {
  /** A field, as the standard has it. */
  <This>(value: undefined, context: ClassFieldDecoratorContext<This, V>): (this: This) => V;
  /** `accessor name: V`, as the standard has it. */
  <This>(
    value: ClassAccessorDecoratorTarget<This, V>,
    context: ClassAccessorDecoratorContext<This, V>,
  ): ClassAccessorDecoratorResult<This, V>;
  /** A property, with `experimentalDecorators`. */
  (prototype: object, property: string | symbol): void;
  /** A parameter of the constructor, with `experimentalDecorators`. */
  (Class: object, method: undefined, index: number): void;
}

export function injection<V>(decorator: string, wish: Wish<V>): Injection<V> {
  function decorate<This>(value: undefined, context: ClassFieldDecoratorContext<This, V>): (this: This) => V;
  function decorate<This>(
    value: ClassAccessorDecoratorTarget<This, V>,
    context: ClassAccessorDecoratorContext<This, V>,
  ): ClassAccessorDecoratorResult<This, V>;
  function decorate(prototype: object, property: string | symbol): void;
  function decorate(Class: object, method: undefined, index: number): void;
  function decorate(...[target, place, detail]: readonly unknown[]): unknown {
    if (isStandardContext(place)) {
      const init = initializer(String(place.name), wish);
      if (place.static !== true && place.kind === 'field') return init;
      if (place.static !== true && place.kind === 'accessor') return { init };
    } else if (typeof target === 'function' && place === undefined && typeof detail === 'number') {
      wishForParameter(target, detail, wish);
      return;
    } else if (isPrototype(target) && isName(place) && detail === undefined) {
      wishForProperty(target, place, wish);
      return;
    }
    throw misplaced(decorator, places, [target, place, detail]);
  }
  return decorate;
}

/** Runs in the constructor, where `this` is the instance. */
function initializer<V>(field: string, wish: Wish<V>): (this: object) => V {
  return function () {
    const source = currentSource();
    if (source === undefined) throw new NotInjectedError(this, field);
    return wish(source);
  };
}

const isPrototype = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isName = (value: unknown): value is string | symbol => ['string', 'symbol'].includes(typeof value);

const places = 'a field, accessor or property of instances, or a parameter of the constructor';
