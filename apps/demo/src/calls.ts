import { quantile, Samples, type Reading } from './samples.ts';
import type { ServiceName } from './shop.ts';

export interface FailedCall {
  readonly order: string;
  /** Since the load began. */
  readonly atMs: number;
  readonly error: unknown;
}

export interface AnsweredCall {
  readonly order: string;
  /** Since the load began. */
  readonly madeAtMs: number;
  /** Since it was due. */
  readonly tookMs: number;
  /** Of the orders instance that had a part in it. */
  readonly version: string;
}

/** What the callers of the shop saw. */
export class Calls {
  readonly answered: AnsweredCall[] = [];
  readonly failed: FailedCall[] = [];
  readonly retries: Record<ServiceName, number> = { checkout: 0, orders: 0, payments: 0 };
  readonly #recent = new Samples();
  #made = 0;

  get made(): number {
    return this.#made;
  }

  get inFlight(): number {
    return this.#made - this.answered.length - this.failed.length;
  }

  get allRetries(): number {
    return Object.values(this.retries).reduce((sum, count) => sum + count, 0);
  }

  begin(): void {
    this.#made += 1;
  }

  succeed(call: AnsweredCall): void {
    this.answered.push(call);
    this.#recent.add(call.tookMs, performance.now());
  }

  fail(call: FailedCall): void {
    this.failed.push(call);
  }

  retried(service: ServiceName, { attempts }: { readonly attempts: number }): void {
    this.retries[service] += attempts - 1;
  }

  /** Of the last two seconds. */
  read(): Reading {
    return this.#recent.read(performance.now());
  }

  /** Of all calls, in milliseconds; undefined before the first answer. */
  latency(share: number): number | undefined {
    return quantile(Float64Array.from(this.answered, ({ tookMs }) => tookMs).sort(), share);
  }
}
