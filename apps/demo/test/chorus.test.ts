import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Chorus } from '../src/chorus.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function listen(): { readonly chorus: Chorus; readonly heard: string[] } {
  const heard: string[] = [];
  return { chorus: new Chorus((text) => heard.push(text)), heard };
}

it('tells what many say at once as one line', () => {
  const { chorus, heard } = listen();
  for (const id of [1, 2, 3]) chorus.say(`Lost "orders-${id}" of "orders"`);
  chorus.say('Found "payments-1"');
  expect(heard).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(heard).toEqual(['3 × Lost "…" of "…"', 'Found "payments-1"']);
});

it('tells it again when it is said again', () => {
  const { chorus, heard } = listen();
  chorus.say('Lost "orders"');
  vi.advanceTimersByTime(1_000);
  chorus.say('Lost "orders"');
  vi.advanceTimersByTime(1_000);
  expect(heard).toEqual(['Lost "orders"', 'Lost "orders"']);
});

it('keeps nothing back at the end', () => {
  const { chorus, heard } = listen();
  chorus.say('Lost "orders"');
  chorus.flush();
  vi.advanceTimersByTime(1_000);
  expect(heard).toEqual(['Lost "orders"']);
});
