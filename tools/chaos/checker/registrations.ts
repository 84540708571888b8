import { living, troublesOf } from './affairs.ts';
import { bounds } from './bounds.ts';
import { overlaps, type Facts, type Provider } from './facts.ts';
import type { Invariant } from './violation.ts';

export const registrationsComeBack: Invariant = {
  name: 'whoever lives is published again, and stays so',
  isTimed: false,
  violations: (facts) =>
    living(facts).flatMap(({ who, states }) => {
      const due = facts.calmAt + bounds.backMs;
      const restless = states
        .filter(({ t }) => t > due && t < facts.overAt)
        .map(({ t, value }) => ({ t, who, text: `it is ${value} long after the last fault` }));
      const last = states.filter(({ t }) => t < facts.overAt).at(-1)?.value ?? 'not registered';
      return last === 'published' ? restless : [{ t: facts.overAt, who, text: `it is ${last} in the end` }];
    }),
};

export const registrationsStay: Invariant = {
  name: 'no registration is lost without trouble, or to a process that is not there',
  isTimed: true,
  violations: (facts) =>
    facts.providers.flatMap((provider) =>
      provider.states.flatMap(({ t, value }) => {
        if (value === 'replaced' && !hasRival(facts, provider, t)) {
          return [{ t, who: provider.who, text: 'it was replaced, though nobody else has its address' }];
        }
        if (value !== 'lost' || t > facts.overAt || hadReason(facts, provider, t)) return [];
        return [{ t, who: provider.who, text: 'it lost its registration without any trouble' }];
      }),
    ),
};

const hasRival = ({ providers }: Facts, { who, port }: Provider, t: number): boolean =>
  providers.some(
    (other) => other.who !== who && other.port === port && other.listeningAt < t && other.goneAt > t,
  );

function hadReason(facts: Facts, { who, frozen }: Provider, t: number): boolean {
  const span = { from: t - bounds.goneMs - bounds.backMs, to: t };
  return [...frozen, ...troublesOf(facts, who)].some((interval) => overlaps(interval, span));
}

export const storeIsRight: Invariant = {
  name: 'in the end the store has everybody who lives once, and nobody when all have left',
  isTimed: false,
  violations: (facts) => {
    const lives = living(facts).map(({ port }) => port);
    return [...facts.listed].flatMap(([when, ports]) => {
      const wanted = when === 'calm' ? lives : [];
      const isRight = sorted(ports) === sorted(wanted);
      if (isRight) return [];
      const text = `it lists [${sorted(ports)}] instead of [${sorted(wanted)}]`;
      return [{ t: when === 'calm' ? facts.overAt : Infinity, who: 'store', text }];
    });
  },
};

const sorted = (ports: readonly number[]): string => ports.toSorted((one, other) => one - other).join(', ');
