import { describe, expect, it } from 'vitest';
import { Latest, ManualClock } from '../src/index.ts';

/** Everything else that can happen has happened. */
const settled = () => new ManualClock().advance(0);

async function readAll<T>(stream: Latest<T>): Promise<{ values: T[]; error?: unknown }> {
  const values: T[] = [];
  try {
    for await (const value of stream) values.push(value);
    return { values };
  } catch (error) {
    return { values, error };
  }
}

describe('Latest', () => {
  it('hands each value to a reader that waits for it', async () => {
    const stream = new Latest<number>();
    const reading = readAll(stream);
    for (const value of [1, 2, 3]) {
      await settled();
      stream.push(value);
    }
    await settled();
    stream.end();
    expect(await reading).toEqual({ values: [1, 2, 3] });
  });

  it('keeps only the newest value for a reader that is slow', async () => {
    const stream = new Latest<number>();
    const reader = stream[Symbol.asyncIterator]();
    stream.push(1);
    expect(await reader.next()).toEqual({ done: false, value: 1 });
    for (const value of [2, 3, 4]) stream.push(value);
    expect(await reader.next()).toEqual({ done: false, value: 4 });
  });

  it('keeps a value that comes before its reader', async () => {
    const stream = new Latest<number | undefined>();
    stream.push(undefined);
    stream.end();
    expect(await readAll(stream)).toEqual({ values: [undefined] });
  });

  it('ends after the value that is pending', async () => {
    const stream = new Latest<number>();
    stream.push(1);
    stream.end();
    stream.push(2);
    expect(await readAll(stream)).toEqual({ values: [1] });
  });

  it('fails after the value that is pending', async () => {
    const stream = new Latest<number>();
    const error = new Error('lost');
    stream.push(1);
    stream.fail(error);
    stream.push(2);
    expect(await readAll(stream)).toEqual({ values: [1], error });
  });

  it('wakes a waiting reader when it ends or fails', async () => {
    const [ended, failed] = [new Latest(), new Latest()];
    const reading = Promise.all([readAll(ended), readAll(failed)]);
    await settled();
    ended.end();
    failed.fail(undefined);
    expect(await reading).toEqual([{ values: [] }, { values: [], error: undefined }]);
  });

  it('ends as it was first told to', async () => {
    const [failed, ended] = [new Latest(), new Latest()];
    failed.fail('first');
    failed.fail('second');
    failed.end();
    ended.end();
    ended.fail('late');
    expect(await readAll(failed)).toEqual({ values: [], error: 'first' });
    expect(await readAll(ended)).toEqual({ values: [] });
  });

  it('is over when its reader leaves', async () => {
    const stream = new Latest<number>();
    stream.push(1);
    for await (const _ of stream) break;
    stream.push(2);
    expect(await readAll(stream)).toEqual({ values: [] });
  });

  it('does not lose a value that is pushed while the one before is worked on', async () => {
    const stream = new Latest<number>();
    const values: number[] = [];
    stream.push(1);
    for await (const value of stream) {
      values.push(value);
      if (value < 3) stream.push(value + 1);
      else stream.end();
    }
    expect(values).toEqual([1, 2, 3]);
  });
});
