import { describe, expect, it, vi } from 'vitest';
import { MalformedEntries, resetLogger, setLogger } from '../src/index.ts';
import { RecordingLogger } from './recording-logger.ts';

const entry = { service: 'orders', key: 'orders/1', problem: '"port" is 0, expected another' };

function collect() {
  const logger = new RecordingLogger();
  return { logger, malformed: new MalformedEntries(logger) };
}

describe('a malformed entry', () => {
  it('is counted, kept and reported', () => {
    const { logger, malformed } = collect();
    malformed.report(entry);
    expect(malformed).toMatchObject({ count: 1, recent: [entry] });
    expect(logger.entries).toEqual([
      {
        level: 'warn',
        message: 'Skipped a malformed entry of service "orders": "port" is 0, expected another',
        details: { key: 'orders/1' },
      },
    ]);
  });

  it('is counted and reported once, however often it is read', () => {
    const { logger, malformed } = collect();
    for (let times = 0; times < 3; times += 1) malformed.report({ ...entry });
    expect(malformed).toMatchObject({ count: 1, recent: [entry] });
    expect(logger.entries).toHaveLength(1);
  });

  it('that is broken in another way now shows its latest problem, and is not counted again', () => {
    const { logger, malformed } = collect();
    malformed.report(entry);
    malformed.report({ ...entry, key: 'orders/2' });
    malformed.report({ ...entry, problem: 'the record is empty' });
    expect(malformed.count).toBe(2);
    expect(malformed.recent.map(({ key, problem }) => [key, problem])).toEqual([
      ['orders/2', entry.problem],
      ['orders/1', 'the record is empty'],
    ]);
    expect(logger.entries).toHaveLength(2);
  });

  it('is another one at another place', () => {
    const { malformed } = collect();
    malformed.report(entry);
    malformed.report({ ...entry, key: 'orders/2' });
    malformed.report({ ...entry, service: 'payments' });
    malformed.report({ ...entry, service: 'orders","orders/1', key: '' });
    expect(malformed.count).toBe(4);
  });

  it('goes to the logger of the process when there is no other', () => {
    const logger = new RecordingLogger();
    const malformed = new MalformedEntries();
    setLogger(logger);
    malformed.report(entry);
    resetLogger();
    expect(logger.entries).toHaveLength(1);
  });

  it('is counted even if the logger throws', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const throwing = Object.assign(new RecordingLogger(), { warn: () => expect.fail() });
    const malformed = new MalformedEntries(throwing);
    malformed.report(entry);
    expect(malformed.count).toBe(1);
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });
});

describe('a flood of malformed entries', () => {
  const flood = (malformed: MalformedEntries) => {
    for (let n = 0; n < 5_000; n += 1) malformed.report({ ...entry, key: `orders/${n}` });
  };

  it('is counted up to 1,000 and then skipped in silence, also when it is read again', () => {
    const { logger, malformed } = collect();
    flood(malformed);
    flood(malformed);
    expect(malformed.count).toBe(1_000);
    expect(logger.entries).toHaveLength(1_001);
    expect(logger.messages.at(-1)).toBe(
      'warn: Met 1000 malformed entries; further ones are skipped in silence',
    );
  });

  it('leaves the newest 20 that were counted', () => {
    const { malformed } = collect();
    flood(malformed);
    expect(malformed.recent.map(({ key }) => key)).toEqual(
      Array.from({ length: 20 }, (_, n) => `orders/${980 + n}`),
    );
  });

  it('of ever new problems in one place is one entry', () => {
    const { logger, malformed } = collect();
    for (let n = 0; n < 5_000; n += 1) malformed.report({ ...entry, problem: `"port" is ${n}` });
    expect(malformed.count).toBe(1);
    expect(malformed.recent).toEqual([{ ...entry, problem: '"port" is 4999' }]);
    expect(logger.entries).toHaveLength(1);
  });

  it('of text is shortened, and kept on one line', () => {
    const { logger, malformed } = collect();
    const long = `\n${'x'.repeat(1_000_000)}`;
    malformed.report({ service: long, key: long, problem: long.trim() });
    expect(JSON.stringify(malformed.recent).length).toBeLessThan(2_000);
    expect(JSON.stringify(logger.entries).length).toBeLessThan(2_000);
    expect(logger.messages[0]).not.toContain('\n');
  });
});
