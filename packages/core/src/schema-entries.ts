import type * as v from 'valibot';

type Schema = v.GenericSchema;

/** What a valibot schema may have, by its kind. */
interface Parts {
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
  readonly wrapped?: Schema;
  readonly getter?: (value: unknown) => Schema;
  readonly item?: Schema;
  readonly value?: Schema;
}

/** The entries of the objects that may be at a path of a schema, by name. */
export function entriesAt(schema: Schema, path: readonly unknown[]): ReadonlyMap<string, Schema> {
  const found = path.reduce<readonly Schema[]>(
    (schemas, key) => schemas.flatMap((each) => childrenOf(each, key)),
    unwrapped(schema),
  );
  return new Map(found.flatMap((each) => Object.entries(partsOf(each).entries ?? {})));
}

/** What it says is expected; undefined: nothing. */
export function messageOf(schema: Schema | undefined): string | undefined {
  const message = schema === undefined ? undefined : (schema as { readonly message?: unknown }).message;
  return typeof message === 'string' ? message : undefined;
}

function childrenOf(schema: Schema, key: unknown): readonly Schema[] {
  const { entries, item, value } = partsOf(schema);
  const child = entries === undefined ? (item ?? value) : entries[String(key)];
  return child === undefined ? [] : unwrapped(child);
}

function unwrapped(schema: Schema): readonly Schema[] {
  const { wrapped, getter, options } = partsOf(schema);
  if (wrapped !== undefined) return unwrapped(wrapped);
  if (schema.type === 'lazy' && getter !== undefined) return unwrapped(getter({}));
  return schema.type === 'union' ? (options ?? []).flatMap(unwrapped) : [schema];
}

/** Valibot has a type for each kind, and none for all. */
const partsOf = (schema: Schema): Parts => schema as Parts;
