import type { EndedRequest } from './consumer.ts';

/** What became of the requests of a run. */
export class RunRecord {
  readonly #requests: EndedRequest[] = [];

  readonly add = (request: EndedRequest): void => {
    this.#requests.push(request);
  };

  get count(): number {
    return this.#requests.length;
  }

  /** Share of requests that were answered well, within `withinMs`. */
  shareWithin(withinMs: number): number {
    return this.#share(({ outcome, latencyMs }) => outcome === 'ok' && latencyMs <= withinMs);
  }

  get errorShare(): number {
    return this.#share(({ outcome }) => outcome !== 'ok');
  }

  /** Latency below which a share of all requests ended, failed ones included, in milliseconds. */
  percentile(share: number, which: (request: EndedRequest) => boolean = () => true): number {
    const latencies = this.#requests.filter(which).map(({ latencyMs }) => latencyMs);
    latencies.sort((one, other) => one - other);
    return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  }

  /** Points for a chart: by time of start, in steps, the percentile of latency. */
  series(stepMs: number, share: number): readonly { readonly time: number; readonly latencyMs: number }[] {
    const steps = new Map<number, number[]>();
    for (const { startedAt, latencyMs } of this.#requests) {
      const step = Math.floor(startedAt / stepMs);
      const latencies = steps.get(step);
      if (latencies === undefined) steps.set(step, [latencyMs]);
      else latencies.push(latencyMs);
    }
    return [...steps]
      .sort(([one], [other]) => one - other)
      .map(([step, latencies]) => {
        latencies.sort((one, other) => one - other);
        const place = Math.min(latencies.length - 1, Math.floor(latencies.length * share));
        return { time: step * stepMs, latencyMs: latencies[place] ?? 0 };
      });
  }

  filter(which: (request: EndedRequest) => boolean): RunRecord {
    const record = new RunRecord();
    for (const request of this.#requests) if (which(request)) record.add(request);
    return record;
  }

  #share(which: (request: EndedRequest) => boolean): number {
    return this.#requests.filter(which).length / this.#requests.length;
  }
}
