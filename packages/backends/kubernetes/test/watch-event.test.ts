import { describe, expect, it } from 'vitest';
import { readEvent } from '../src/watch-event.ts';

describe('a line of a watch', () => {
  // Its reader stands between a socket and nobody: what it throws ends the process.
  const textless = { toString: 1, valueOf: 1 };

  it.each([
    ['a deletion of what has no name', { type: 'DELETED', object: { metadata: { namespace: 'demo' } } }],
    [
      'a deletion in no namespace',
      { type: 'DELETED', object: { metadata: { namespace: textless, name: 'a' } } },
    ],
    ['an event of no kind', { type: textless }],
  ])('is unreadable when it is %s', (_, event) => {
    expect(readEvent(JSON.stringify(event))).toEqual({ type: 'unreadable' });
  });

  it('is an error also when that says nothing', () => {
    const event = { type: 'ERROR', object: { code: textless, message: textless } };
    expect(readEvent(JSON.stringify(event))).toEqual({
      type: 'error',
      code: 0,
      message: 'it does not say which',
    });
  });
});
