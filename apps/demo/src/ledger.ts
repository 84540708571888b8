export interface Booking {
  readonly key: string;
  readonly order: string;
  readonly amount: number;
  /** The payments instance that booked it. */
  readonly bookedBy: string;
}

/** What payments instances see of the ledger. */
export interface Bookkeeping {
  /** Books a payment, or finds the booking that was made with the same key before. */
  book(payment: Booking): Promise<Booking> | Booking;
}

/** The database that all payments instances share. It outlives them. */
export class Ledger implements Bookkeeping {
  readonly #bookings: Booking[] = [];
  readonly #byKey = new Map<string, Booking>();
  #repeated = 0;

  get bookings(): readonly Booking[] {
    return this.#bookings;
  }

  /** Payments that came again with a key that was booked already. */
  get repeated(): number {
    return this.#repeated;
  }

  book(payment: Booking): Booking {
    const earlier = this.#byKey.get(payment.key);
    if (earlier !== undefined) {
      this.#repeated += 1;
      return earlier;
    }
    this.#byKey.set(payment.key, payment);
    this.#bookings.push(payment);
    return payment;
  }
}
