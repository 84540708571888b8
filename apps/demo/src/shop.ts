import { ServiceClient, type DiscoveryClient } from '@sd/client';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bookkeeping } from './ledger.ts';

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
  /** Resolves when it can answer. */
  open(options: { readonly signal: AbortSignal }): Promise<void>;
  answer(request: ShopRequest): Promise<object>;
  close(): Promise<void>;
}

/** Told of each answer that a service got from another one. */
export type OnAnswer = (service: ServiceName, answer: { readonly attempts: number }) => void;

/** What all instances have in common besides the store. */
export interface Surroundings {
  readonly ledger: Bookkeeping;
  readonly onAnswer: OnAnswer;
}

export function makeService(
  { service, id, version }: { readonly service: ServiceName; readonly id: string; readonly version: string },
  { discovery, ledger, onAnswer }: Surroundings & { readonly discovery: DiscoveryClient },
): Service {
  if (service === 'orders') return ordersService({ version });
  if (service === 'payments') return paymentsService({ id, ledger });
  return checkoutService({ discovery, onAnswer });
}

export interface Order {
  readonly total: number;
  /** The version of the orders instance that answered. */
  readonly version: string;
}

/** Knows what was ordered. */
function ordersService({ version }: { readonly version: string }): Service {
  return {
    open: () => Promise.resolve(),
    async answer({ order, signal }) {
      await work(5, signal);
      return { total: 10 + (Number(order) % 90), version } satisfies Order;
    },
    close: () => Promise.resolve(),
  };
}

/** Takes money, once for each idempotency key. */
function paymentsService({ id, ledger }: { readonly id: string; readonly ledger: Bookkeeping }): Service {
  return {
    open: () => Promise.resolve(),
    async answer({ order, body, idempotencyKey: key, signal }) {
      await work(3, signal);
      const booking = await ledger.book({ key, order, amount: Number(body['amount']), bookedBy: id });
      await work(8, signal); // who dies now has booked, and has told nobody
      return booking;
    },
    close: () => Promise.resolve(),
  };
}

/** Sells: calls the two others. */
function checkoutService({
  discovery,
  onAnswer,
}: {
  readonly discovery: DiscoveryClient;
  readonly onAnswer: OnAnswer;
}): Service {
  const orders = new ServiceClient({ service: 'orders', discovery });
  const payments = new ServiceClient({ service: 'payments', discovery });
  return {
    async open({ signal }) {
      // Who is called knows whom to call: otherwise a store that is lost now would fail the first calls.
      await Promise.all([known('orders', discovery, signal), known('payments', discovery, signal)]);
    },
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

/**
 * Resolves when there is a view of the service, however long the store takes.
 * @throws the signal's reason
 */
export async function known(
  service: ServiceName,
  discovery: DiscoveryClient,
  signal: AbortSignal,
): Promise<void> {
  for await (const _ of discovery.watch(service, { signal })) return;
  signal.throwIfAborted();
}

/** Takes about this many milliseconds, as real work would. */
async function work(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms * (0.5 + Math.random()), undefined, { signal });
}
