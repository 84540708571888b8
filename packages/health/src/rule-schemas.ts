import * as v from 'valibot';

const durationText = 'milliseconds, more than 0';
export const duration = v.pipe(v.number(durationText), v.finite(durationText), v.gtValue(0, durationText));

const countText = 'a whole number from 1 on';
export const count = v.pipe(v.number(countText), v.integer(countText), v.minValue(1, countText));

const shareText = 'a share above 0, up to 1';
export const share = v.pipe(v.number(shareText), v.gtValue(0, shareText), v.maxValue(1, shareText));

const multipleText = 'a number above 1';
export const multiple = v.pipe(v.number(multipleText), v.finite(multipleText), v.gtValue(1, multipleText));

const excessText = 'a number from 0 on';
export const excess = v.pipe(v.number(excessText), v.finite(excessText), v.minValue(0, excessText));

/** `false`, or what `schema` says. Not a union: of a wrong part of an object, that would name the object alone. */
export function orOff<S extends v.GenericSchema>(schema: S) {
  return v.lazy((value): v.GenericSchema<v.InferInput<S> | false, v.InferOutput<S> | false> =>
    value === false ? v.literal(false) : schema,
  );
}
