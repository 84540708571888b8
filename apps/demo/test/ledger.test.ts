import { expect, it } from 'vitest';
import { Ledger } from '../src/ledger.ts';

it('books a key once, however often it comes, and answers each time with the first booking', () => {
  const ledger = new Ledger();
  const first = ledger.book({ key: 'order-1', order: '1', amount: 12, bookedBy: 'payments-1' });
  const again = ledger.book({ key: 'order-1', order: '1', amount: 12, bookedBy: 'payments-2' });
  expect(again).toBe(first);
  expect(ledger.bookings).toEqual([first]);
  expect(ledger.repeated).toBe(1);
});
