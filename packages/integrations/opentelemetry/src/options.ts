import type { DiscoveryClient } from '@sd/discovery';
import * as v from 'valibot';

const having =
  (...methods: readonly string[]) =>
  (value: unknown): boolean =>
    methods.every((name) => typeof Reflect.get(Object(value), name) === 'function');

const orNone = (method: string, expected: string) =>
  v.optional(v.custom<object | false>((value) => value === false || having(method)(value), expected));

const countText = 'a whole number from 1 to 10000';

export const instrumentOptionsSchema = v.strictObject(
  {
    discovery: v.optional(
      v.array(
        v.custom<DiscoveryClient>(having('inUse', 'endpoints'), 'a DiscoveryClient'),
        'an array of DiscoveryClients',
      ),
    ),
    meterProvider: orNone('getMeter', 'a MeterProvider, or false'),
    tracerProvider: orNone('getTracer', 'a TracerProvider, or false'),
    serverAddress: v.optional(v.picklist(['service', 'instance'], "'service' or 'instance'")),
    maxServices: v.optional(
      v.pipe(
        v.number(countText),
        v.integer(countText),
        v.minValue(1, countText),
        v.maxValue(10_000, countText),
      ),
    ),
    propagate: v.optional(v.boolean('true or false')),
  },
  'an object',
);
