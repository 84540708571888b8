import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { arrive, type Arrival } from '../src/arrivals.ts';
import type { PromptClient } from '../src/prompt-client.ts';

/** An answer over a connection of its own, which both write down what they are told. */
function arrivalOf(name: string, told: string[], handOn: () => void = () => undefined): Arrival {
  const client: Pick<PromptClient, 'ended'> = { ended: () => void told.push(`${name} has room`) };
  return {
    filled: client as PromptClient,
    handOn: () => {
      told.push(name);
      handOn();
    },
  };
}

describe('answers that have ended', () => {
  it('are handed on at the end of the turn, when their connections have room again', async () => {
    const told: string[] = [];
    arrive(arrivalOf('a', told));
    arrive(arrivalOf('b', told));
    await Promise.resolve();
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual(['a has room', 'b has room', 'a', 'b']);
  });

  it('meanwhile are handed on at the end of the next turn', async () => {
    const told: string[] = [];
    arrive(arrivalOf('a', told, () => arrive(arrivalOf('b', told))));
    await turn();
    expect(told).toEqual(['a has room', 'a']);
    await turn();
    expect(told).toEqual(['a has room', 'a', 'b has room', 'b']);
  });

  it.each(['ended', 'handOn'] as const)('are handed on also where %s of another throws', async (step) => {
    const uncaught = uncaughtError();
    const told: string[] = [];
    const broken = new Error('broken');
    const fail = (): never => {
      throw broken;
    };
    const a = arrivalOf('a', told);
    arrive(step === 'handOn' ? { ...a, handOn: fail } : { ...a, filled: { ended: fail } as never });
    arrive(arrivalOf('b', told));
    expect(await uncaught).toBe(broken);
    expect(told).toContain('b');
  });
});

/** The next error that nobody catches, instead of a test run that fails. */
function uncaughtError(): Promise<unknown> {
  const usual = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of usual) process.on('uncaughtException', listener);
  });
  return new Promise((resolve) => process.once('uncaughtException', resolve));
}
