import { ServiceClient, type DiscoveryClient } from '@sd/client';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { Calls } from './calls.ts';
import type { Order } from './shop.ts';

export interface LoadOptions {
  readonly discovery: DiscoveryClient;
  /** Calls per second. */
  readonly rate: number;
  readonly calls: Calls;
  /** Ends the load; calls under way are finished. */
  readonly signal: AbortSignal;
}

export interface DrivenLoad {
  readonly tookMs: number;
  /** Calls that were due in that time. */
  readonly planned: number;
  /** Calls that were made in that time. */
  readonly made: number;
}

export const noLoad: DrivenLoad = { tookMs: 0, planned: 0, made: 0 };

/**
 * Customers: each call starts when it is due, whether those before it were answered or not (an open loop), and its
 * latency counts from then. A loop that waits for answers would go easy on a shop that is in trouble, and not see it.
 */
export async function driveLoad({ discovery, rate, calls, signal }: LoadOptions): Promise<DrivenLoad> {
  const checkout = new ServiceClient({ service: 'checkout', discovery });
  const startedAt = performance.now();
  const running = new Set<Promise<void>>();
  while (!signal.aborted) {
    const dueAtMs = (calls.made * 1_000) / rate;
    const aheadMs = dueAtMs - (performance.now() - startedAt);
    if (aheadMs > 0) {
      await wait(aheadMs, undefined, { signal }).catch(() => undefined);
    } else {
      const call = buy(checkout, calls, { startedAt, dueAtMs }).finally(() => running.delete(call));
      running.add(call);
      await turn(); // however late we are, answers are read too
    }
  }
  const tookMs = performance.now() - startedAt;
  const { made } = calls;
  await Promise.all(running);
  await checkout.close();
  return { tookMs, planned: 1 + Math.floor((tookMs * rate) / 1_000), made };
}

/** Different keys, for strategies that hash. */
const customers = 500;

async function buy(
  checkout: ServiceClient,
  calls: Calls,
  { startedAt, dueAtMs }: { readonly startedAt: number; readonly dueAtMs: number },
): Promise<void> {
  const order = String(calls.made);
  const customer = `customer-${calls.made % customers}`;
  const madeAtMs = performance.now() - startedAt;
  calls.begin();
  try {
    const answer = await checkout.post(`/checkout/${order}`, {
      key: customer,
      json: { customer },
      // The key goes on to payments, so buying twice is as good as once.
      headers: { 'idempotency-key': `order-${order}` },
      idempotent: true,
    });
    calls.retried('checkout', answer);
    const tookMs = performance.now() - startedAt - dueAtMs;
    calls.succeed({ order, madeAtMs, tookMs, version: answer.json<Order>().version });
  } catch (error) {
    calls.fail({ order, atMs: performance.now() - startedAt, error });
  }
}
