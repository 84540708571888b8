import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigValidationError, globalLogger, resetLogger, setLogger } from '../src/index.ts';
import { RecordingLogger } from './recording-logger.ts';
import { thrownBy } from './thrown-by.ts';

const methods = ['debug', 'info', 'log', 'warn', 'error'] as const;
const printed: unknown[][] = [];

beforeEach(() => {
  for (const method of methods) {
    vi.spyOn(console, method).mockImplementation(
      (...line: unknown[]) => void printed.push([method, ...line]),
    );
  }
});

afterEach(() => {
  resetLogger();
  vi.restoreAllMocks();
  printed.length = 0;
});

describe('the logger of the process', () => {
  it('writes warnings and errors to the console by default, and nothing else', () => {
    globalLogger.debug('debug');
    globalLogger.info('info');
    globalLogger.warn('warn');
    globalLogger.error('error', { service: 'orders' });
    expect(printed).toEqual([
      ['warn', '[sd] warn'],
      ['error', '[sd] error', { service: 'orders' }],
    ]);
  });

  it('is the one that was set last, for everybody', () => {
    const [first, second] = [new RecordingLogger(), new RecordingLogger()];
    const madeBefore = globalLogger;
    setLogger(first);
    madeBefore.warn('one', { n: 1 });
    setLogger(second);
    globalLogger.debug('two');
    expect(first.entries).toEqual([{ level: 'warn', message: 'one', details: { n: 1 } }]);
    expect(second.entries).toEqual([{ level: 'debug', message: 'two', details: undefined }]);
    expect(printed).toEqual([]);
  });

  it('is the default one again after resetLogger()', () => {
    const logger = new RecordingLogger();
    setLogger(logger);
    resetLogger();
    globalLogger.warn('warn');
    expect(logger.entries).toEqual([]);
    expect(printed).toEqual([['warn', '[sd] warn']]);
  });

  it('may be the console itself', () => {
    setLogger(console);
    globalLogger.info('info');
    globalLogger.error('error', { n: 1 });
    expect(printed).toEqual([
      ['info', 'info'],
      ['error', 'error', { n: 1 }],
    ]);
  });

  it('falls back to the console when it throws, so that work goes on', () => {
    const loggerError = new Error('the worker has exited');
    const throwing = vi.fn(() => {
      throw loggerError;
    });
    setLogger({ debug: throwing, info: throwing, warn: throwing, error: throwing });
    globalLogger.info('info');
    globalLogger.warn('warn', { service: 'orders' });
    expect(throwing).toHaveBeenCalledTimes(2);
    expect(printed).toEqual([['warn', '[sd] warn', { service: 'orders', loggerError }]]);
  });
});

describe('setLogger()', () => {
  it.each([
    [undefined, 'debug', 'missing'],
    [null, 'debug', 'missing'],
    ['console', 'debug', 'missing'],
    [{}, 'debug', 'missing'],
    [{ debug: console.debug, info: console.info, warn: 'yes' }, 'warn', '"yes"'],
    [() => undefined, 'debug', 'missing'],
  ])('refuses %o and keeps the one before', (logger, field, received) => {
    const before = new RecordingLogger();
    setLogger(before);
    const error = thrownBy(() => setLogger(logger as never));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field, received, expected: 'a function (message, details)' });
    globalLogger.warn('warn');
    expect(before.entries).toHaveLength(1);
  });
});
