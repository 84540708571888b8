import { ServiceClient, type DiscoveryClient } from '@sd/client';
import { setTimeout as wait } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';

export type ServiceName = 'checkout' | 'orders' | 'payments';
export const serviceNames: readonly ServiceName[] = ['checkout', 'orders', 'payments'];

/** What a service answers: `POST /checkout/17`, `GET /orders/17`, `POST /payments/17`. */
export interface ShopRequest {
  /** The last part of the path. */
  readonly order: string;
  /** Empty for a GET. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string;
  /** Aborts when the instance dies. */
  readonly signal: AbortSignal;
}

export interface Service {
  answer(request: ShopRequest): Promise<object>;
  close(): Promise<void>;
}

/** Told of each answer that a service got from another one. */
export type OnAnswer = (service: ServiceName, answer: { readonly attempts: number }) => void;

export interface Order {
  readonly total: number;
  /** The version of the orders instance that answered. */
  readonly version: string;
}

/** Knows what was ordered. */
export function ordersService({ version }: { readonly version: string }): Service {
  return {
    async answer({ order, signal }) {
      await work(5, signal);
      return { total: 10 + (Number(order) % 90), version } satisfies Order;
    },
    close: () => Promise.resolve(),
  };
}

/** Takes money, once for each idempotency key. */
export function paymentsService({ id, ledger }: { readonly id: string; readonly ledger: Ledger }): Service {
  return {
    async answer({ order, body, idempotencyKey: key, signal }) {
      await work(3, signal);
      const booking = ledger.book({ key, order, amount: Number(body['amount']), bookedBy: id });
      await work(8, signal); // who dies now has booked, and has told nobody
      return booking;
    },
    close: () => Promise.resolve(),
  };
}

/** Sells: calls the two others. */
export function checkoutService({
  discovery,
  onAnswer,
}: {
  readonly discovery: DiscoveryClient;
  readonly onAnswer: OnAnswer;
}): Service {
  const orders = new ServiceClient({ service: 'orders', discovery });
  const payments = new ServiceClient({ service: 'payments', discovery });
  return {
    async answer({ order, body, idempotencyKey }) {
      const key = String(body['customer']); // for strategies that keep a customer on one instance
      const found = await orders.get(`/orders/${order}`, { key });
      onAnswer('orders', found);
      const { total, version } = found.json<Order>();
      const paid = await payments.post(`/payments/${order}`, {
        key,
        json: { amount: total },
        headers: { 'idempotency-key': idempotencyKey },
        // A POST is not repeated once it may have arrived, as nobody knows what it did. This one may be: payments
        // books a key once, however often it comes. So a payment that an instance took with it is sent to another.
        idempotent: true,
      });
      onAnswer('payments', paid);
      return { total, version } satisfies Order;
    },
    async close() {
      await Promise.all([orders.close(), payments.close()]);
    },
  };
}

/** Takes about this many milliseconds, as real work would. */
async function work(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms * (0.5 + Math.random()), undefined, { signal });
}
