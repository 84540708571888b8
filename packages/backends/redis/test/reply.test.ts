import { describe, expect, it } from 'vitest';
import type { Connection } from '../src/connection.ts';
import { RedisStore } from '../src/redis-store.ts';

/** A store whose server answers this. */
function answering(reply: unknown): RedisStore {
  // Of a connection it uses no more.
  const connection = { run: async () => reply } as unknown as Connection;
  return new RedisStore(connection, { prefix: 'sd:', db: 0 });
}

describe('the answer to a reading', () => {
  it('is read as our script writes it', async () => {
    expect(await answering(['7:1', 900, ['a', '{}'], ['b'], '0']).read('orders', '')).toEqual({
      version: '7:1',
      nextExpiryMs: 900,
      records: { alive: new Map([['a', '{}']]), strays: ['b'], expired: false },
    });
  });

  it.each([
    ['nothing', null],
    ['no times', ['', 'soon', [], []]],
    ['lists in the place of texts', [[[]], ['soon'], [], []]],
  ])('that says %s has no time at which to ask again', async (_, reply) => {
    const { version, nextExpiryMs } = await answering(reply).read('orders', '');
    expect({ version, nextExpiryMs }).toEqual({ version: '', nextExpiryMs: undefined });
  });
});
