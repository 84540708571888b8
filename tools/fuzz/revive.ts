/** What stands for values that JSON has no word for, so that inputs can be kept as text. */
const revived: ReadonlyMap<string, () => unknown> = new Map<string, () => unknown>([
  ['$undefined', () => undefined],
  ['$nan', () => NaN],
  ['$infinity', () => Infinity],
  ['$function', () => () => undefined],
  ['$symbol', () => Symbol('fuzz')],
  ['$bigint', () => 1n],
  ['$date', () => new Date(0)],
  ['$bare', () => Object.create(null) as unknown],
  [
    '$circular',
    () => {
      const circle: { self?: unknown } = {};
      circle.self = circle;
      return circle;
    },
  ],
]);

/** @param more of a target's own: `$backend` */
export function revive(
  value: unknown,
  more: ReadonlyMap<string, () => unknown> = new Map(),
  depth = 0,
): unknown {
  if (typeof value === 'string') {
    const make = more.get(value) ?? revived.get(value);
    return make === undefined ? value : make();
  }
  if (typeof value !== 'object' || value === null || depth > 500) return value;
  if (Array.isArray(value)) return value.map((each) => revive(each, more, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revive(each, more, depth + 1)]));
}
