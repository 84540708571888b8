import { ConfigValidationError } from '@sd/core';

/** What standard decorators get as their second argument, where legacy ones get a name or nothing. */
export interface StandardContext {
  readonly kind: string;
  readonly name?: unknown;
  readonly static?: unknown;
}

export function isStandardContext(place: unknown): place is StandardContext {
  return typeof place === 'object' && place !== null && 'kind' in place && typeof place.kind === 'string';
}

/** What a decorator was put on, by the arguments of either kind of decorators. */
export function describePlace(target: unknown, place: unknown, detail: unknown): string {
  if (isStandardContext(place)) {
    const article = place.static === true ? 'a static' : place.kind === 'accessor' ? 'an' : 'a';
    return `${article} ${place.kind}`;
  }
  if (typeof detail === 'number') {
    return place === undefined ? 'a parameter of the constructor' : 'a parameter of a method';
  }
  if (place === undefined) return 'a class';
  const kind = describeMember(detail);
  return typeof target === 'function' ? `a static ${kind}` : `a ${kind}`;
}

/** By the descriptor, which legacy decorators of properties do not get. */
function describeMember(descriptor: unknown): string {
  if (typeof descriptor !== 'object' || descriptor === null) return 'property';
  return 'value' in descriptor ? 'method' : 'getter or setter';
}

/** The error of a decorator that is in the wrong place. */
export function misplaced(
  decorator: string,
  expected: string,
  [target, place, detail]: readonly unknown[],
): ConfigValidationError {
  const named = isStandardContext(place) ? place.name : place;
  const field = nameOf(named) ?? nameOf(Reflect.get(Object(target), 'name')) ?? 'the target';
  return new ConfigValidationError(decorator, [
    { field, received: describePlace(target, place, detail), expected },
  ]);
}

const nameOf = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'symbol' ? String(value) : undefined;
