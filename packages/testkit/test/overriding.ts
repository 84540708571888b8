/** The same object, private fields included, with some of its members replaced. */
export function overriding<T extends object>(target: T, overrides: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const source = key in overrides ? overrides : target;
      const value: unknown = Reflect.get(source, key, source);
      return typeof value === 'function' ? (value.bind(source) as unknown) : value;
    },
  });
}
