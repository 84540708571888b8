/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** RFC 6902, with add, replace, remove and test. @throws {Error} for what cannot be applied */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new Error('a JSON patch is a list');
  const root = { value: structuredClone(target) };
  for (const operation of patch as readonly unknown[]) {
    const { op, path, value } = isRecord(operation) ? operation : {};
    const steps = ['value', ...String(path).split('/').slice(1).map(unescape)];
    const last = steps.pop() ?? '';
    const parent = steps.reduce<unknown>((at, step) => Reflect.get(Object(at) as object, step), root);
    if (typeof parent !== 'object' || parent === null) throw new Error(`there is no ${String(path)}`);
    if (op !== 'add' && !Reflect.has(parent, last)) throw new Error(`there is no ${String(path)}`);
    if (op === 'test') {
      if (JSON.stringify(Reflect.get(parent, last)) !== JSON.stringify(value))
        throw new Error(`testing path ${String(path)} failed`);
    } else if (Array.isArray(parent)) {
      const index = last === '-' ? parent.length : Number(last);
      parent.splice(index, op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]));
    } else if (op === 'remove') Reflect.deleteProperty(parent, last);
    else Reflect.set(parent, last, value);
  }
  return root.value;
}

const unescape = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~');

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
