import { bounds } from './bounds.ts';
import { overlaps, type Consumer, type Facts, type Interval, type Provider, type Trouble } from './facts.ts';

/** Troubles with the store, or with the way of one of these to it. */
export function troublesOf({ troubles }: Facts, ...whose: readonly string[]): readonly Trouble[] {
  return troubles.filter(({ of }) => of === 'store' || whose.includes(of));
}

/** Those that live when the observation ends, and were not told to leave. */
export function living({ providers, overAt }: Facts): readonly Provider[] {
  return providers.filter(({ goneAt, toldAt }) => goneAt > overAt && toldAt >= overAt);
}

/**
 * When a view must have lost somebody who is gone. Trouble with the store puts it off: until the view is in sync again, for
 * as long as it may doubt, and as a store that comes back with its data may give leases their full time once more.
 */
export function goneFor(facts: Facts, gone: Provider, consumer: Consumer): number {
  const saidGoodbye = gone.drainedAt < Infinity;
  const troubles = troublesOf(facts, consumer.who, ...(saidGoodbye ? [gone.who] : []));
  const before = bounds.backMs + bounds.doubtMs;
  let due = saidGoodbye ? gone.drainedAt + bounds.withdrawnMs : gone.goneAt + bounds.goneMs;
  for (;;) {
    const during: Interval = { from: gone.goneAt - before, to: due };
    const ends = troubles.filter((trouble) => overlaps(trouble, during)).map(({ to }) => to);
    const later = Math.max(due, ...ends.map((end) => end + before + bounds.goneMs));
    if (later === due) return due;
    due = later;
  }
}

/** From when on its port says nothing of it, as another process listens there. */
export function followedAt({ providers }: Facts, { port, listeningAt }: Provider): number {
  const later = providers.filter((other) => other.port === port && other.listeningAt > listeningAt);
  return Math.min(Infinity, ...later.map((other) => other.listeningAt));
}
