import { troublesOf } from './affairs.ts';
import { bounds } from './bounds.ts';
import { overlaps, type Facts } from './facts.ts';
import type { Invariant } from './violation.ts';

export const processesLive: Invariant = {
  name: 'no process crashes or ends by itself',
  isTimed: false,
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

export const processesEndWell: Invariant = {
  name: 'a process that is told to leave ends with code 0, and leaves nothing open',
  isTimed: false,
  violations: (facts) =>
    all(facts).flatMap(({ who, exit, toldAt }) => {
      if (toldAt === Infinity || exit?.killed === true || exit?.code === 0) return [];
      if (exit === undefined) return [{ t: toldAt, who, text: 'it never ended' }];
      return [{ t: exit.t, who, text: `it ended with ${exit.signal ?? String(exit.code)}` }];
    }),
};

export const processesEndSoon: Invariant = {
  name: 'a process that is told to leave ends soon',
  isTimed: true,
  violations: (facts) =>
    all(facts).flatMap((process) => {
      const { who, exit, toldAt } = process;
      if (toldAt === Infinity || exit === undefined || exit.killed) return [];
      const inTrouble = troublesOf(facts, who).some((trouble) =>
        overlaps(trouble, { from: toldAt - bounds.backMs, to: exit.t }),
      );
      const limitMs = inTrouble ? bounds.exitInTroubleMs : bounds.exitMs;
      // One that has only just been started hears of it when it runs.
      const heardAt =
        'listeningAt' in process ? Math.max(toldAt, Math.min(process.listeningAt, exit.t)) : toldAt;
      const tookMs = exit.t - heardAt;
      return tookMs <= limitMs ? [] : [{ t: exit.t, who, text: `it took ${tookMs.toFixed(0)} ms to end` }];
    }),
};

const all = ({ providers, consumers }: Facts) => [...providers, ...consumers];
