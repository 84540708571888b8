import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';
import { other } from './service-names.ts';

interface Series {
  readonly attributes: Attributes;
  count: number;
}

/** So many series a service has in one counter at most; what is counted by is enumerated, but for strategies' names. */
const mostOfService = 100;

/**
 * A counter that is read when metrics are collected. OpenTelemetry's own makes a string of the attributes each time it
 * counts, which takes longer than all that happens here to a call.
 */
export class Tally {
  readonly #keys: readonly string[];
  readonly #services = new Map<string, Map<unknown, Map<unknown, Series>>>();
  readonly #all: Series[] = [];
  readonly #sizes = new Map<string, number>();
  readonly #stop: () => void;

  /** @param keys of what it counts by: the service, and at most two more */
  constructor(
    meter: Meter,
    keys: readonly string[],
    {
      name,
      description,
      unit,
    }: { readonly name: string; readonly description: string; readonly unit: string },
  ) {
    this.#keys = keys;
    const counter = meter.createObservableCounter(name, { description, unit });
    const observe = (result: ObservableResult): void => {
      for (const { attributes, count } of this.#all) result.observe(count, attributes);
    };
    counter.addCallback(observe);
    this.#stop = () => counter.removeCallback(observe);
  }

  /** Hot path: nothing is allocated but for what is counted for the first time. */
  increment(service: string, first?: string | boolean, second?: string | boolean): void {
    const series = this.#services.get(service)?.get(first)?.get(second) ?? this.#open(service, first, second);
    series.count += 1;
  }

  close(): void {
    this.#stop();
  }

  #open(service: string, first?: string | boolean, second?: string | boolean): Series {
    const size = this.#sizes.get(service) ?? 0;
    if (size >= mostOfService) {
      [first, second] = [first === undefined ? undefined : other, second === undefined ? undefined : other];
      const known = this.#services.get(service)?.get(first)?.get(second);
      if (known !== undefined) return known;
    }
    this.#sizes.set(service, size + 1);
    const values = [service, first, second];
    const attributes = Object.freeze(
      Object.fromEntries(this.#keys.map((key, place) => [key, values[place]])),
    );
    const series: Series = { attributes, count: 0 };
    this.#all.push(series);
    within(within(this.#services, service), first).set(second, series);
    return series;
  }
}

function within<Key, Inner>(map: Map<Key, Map<unknown, Inner>>, key: Key): Map<unknown, Inner> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}
