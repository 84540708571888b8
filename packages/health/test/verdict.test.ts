import { describe, expect, it } from 'vitest';
import type { CheckResult } from '../src/health-check.ts';
import { Verdict } from '../src/verdict.ts';

const letters: Readonly<Record<string, CheckResult['status']>> = {
  h: 'healthy',
  d: 'degraded',
  u: 'unhealthy',
};

/** The status after each look, a letter each. */
function statusesAfter(looks: string, thresholds = { successThreshold: 2, failureThreshold: 3 }): string {
  const verdict = new Verdict(thresholds);
  return Array.from(looks)
    .map((letter) => {
      verdict.add(letters[letter] ?? 'healthy');
      return verdict.status[0];
    })
    .join('');
}

describe('Verdict', () => {
  it('is unknown before the first look', () => {
    expect(new Verdict({ successThreshold: 1, failureThreshold: 1 }).status).toBe('unknown');
  });

  it.each([
    ['the first look decides alone', 'h', 'h'],
    ['the first look decides alone', 'd', 'd'],
    ['the first look decides alone', 'u', 'u'],
    ['three failures in a row make it unhealthy', 'huuuu', 'hhhuu'],
    ['a success in between starts the count anew', 'huuhuuduuu', 'hhhhhhhhhu'],
    ['two successes in a row bring it back', 'uhh', 'uuh'],
    ['a failure in between starts the count anew', 'uhuhh', 'uuuuh'],
    ['degraded counts as a success', 'udd', 'uud'],
    ['it comes back as degraded when the successes were of both kinds', 'uhd', 'uud'],
    ['it comes back as degraded when the successes were of both kinds', 'udh', 'uud'],
    ['healthy to degraded takes two in a row', 'hdhdd', 'hhhhd'],
    ['degraded to healthy takes two in a row', 'dhdhh', 'ddddh'],
    ['a failure breaks a row of degraded looks', 'hdudd', 'hhhhd'],
    ['the first failure counts towards the next', 'uhhuu', 'uuhhh'],
  ])('%s: %s', (_rule, looks, statuses) => {
    expect(statusesAfter(looks)).toBe(statuses);
  });

  it('follows each look with thresholds of 1', () => {
    expect(statusesAfter('hudhu', { successThreshold: 1, failureThreshold: 1 })).toBe('hudhu');
  });
});
