import { troublesOf } from './affairs.ts';
import { bounds } from './bounds.ts';
import { overlaps, type Facts } from './facts.ts';
import type { Invariant } from './violation.ts';

export const processesLive: Invariant = {
  name: 'no process crashes or ends by itself',
  violations: (facts) =>
    all(facts).flatMap(({ who, exit, toldAt, uncaught }) => {
      const thrown = uncaught.map(({ t, text }) => ({ t, who, text: `nobody caught ${text}` }));
      if (exit === undefined || exit.killed || exit.t > toldAt) return thrown;
      return [
        ...thrown,
        { t: exit.t, who, text: `it ended by itself with ${exit.signal ?? String(exit.code)}` },
      ];
    }),
};

export const processesLeave: Invariant = {
  name: 'a process that is told to leave ends soon, with code 0, and leaves nothing open',
  violations: (facts) =>
    all(facts).flatMap(({ who, exit, toldAt }) => {
      if (toldAt === Infinity || exit?.killed === true) return [];
      if (exit === undefined) return [{ t: toldAt, who, text: 'it never ended' }];
      const span = { from: toldAt - bounds.backMs, to: exit.t };
      const inTrouble = troublesOf(facts, who).some((trouble) => overlaps(trouble, span));
      const limitMs = inTrouble ? bounds.exitInTroubleMs : bounds.exitMs;
      const tookMs = exit.t - toldAt;
      if (exit.code !== 0)
        return [{ t: exit.t, who, text: `it ended with ${exit.signal ?? String(exit.code)}` }];
      return tookMs <= limitMs ? [] : [{ t: exit.t, who, text: `it took ${tookMs.toFixed(0)} ms to end` }];
    }),
};

const all = ({ providers, consumers }: Facts) => [...providers, ...consumers];
