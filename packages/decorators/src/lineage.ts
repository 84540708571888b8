/** An object and all that it inherits from, the nearest first. */
export function lineageOf(value: object): readonly object[] {
  const above: unknown = Object.getPrototypeOf(value);
  return above instanceof Object ? [value, ...lineageOf(above)] : [value];
}
