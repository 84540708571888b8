import { grownCounts, noCounts, type Counts } from './columns.ts';

/**
 * Which endpoints in rotation failed at their last attempt. Where most did, the fault is none of theirs: the service is
 * overloaded, or what it needs is down, and taking some out would crush the rest.
 */
export class Standing {
  #fails: Counts = noCounts;
  #failing = 0;

  grow(slots: number): void {
    this.#fails = grownCounts(this.#fails, slots);
  }

  /** Hot path. */
  ended(slot: number, isFailure: boolean): void {
    const now = isFailure ? 1 : 0;
    if (this.#fails[slot] === now) return;
    this.#fails[slot] = now;
    this.#failing += isFailure ? 1 : -1;
  }

  /** It is in rotation no longer, or starts anew. */
  forget(slot: number): void {
    this.ended(slot, false);
  }

  clear(): void {
    this.#fails.fill(0);
    this.#failing = 0;
  }

  /** @param inRotation how many endpoints are */
  mostFail(inRotation: number): boolean {
    return 2 * this.#failing > inRotation;
  }

  /** Hot path after failures. Of one that fails: whether more than half of the others do as well. */
  mostPeersFail(inRotation: number): boolean {
    return 2 * (this.#failing - 1) > inRotation - 1;
  }
}
