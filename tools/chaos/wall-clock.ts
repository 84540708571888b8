/** Makes the wall clock of this process jump, as when somebody sets it. What measures by it is then off by so much. */
export function jumpClock(byMs: number): void {
  const True = Date;
  class Shifted extends True {
    constructor(...args: readonly unknown[]) {
      // With arguments it is a time that somebody else has read.
      if (args.length === 0) super(True.now() + byMs);
      else super(...(args as [number]));
    }

    static override now(): number {
      return True.now() + byMs;
    }
  }
  globalThis.Date = Shifted as DateConstructor; // apart from being called without `new`
}
