import { describe, expect, it } from 'vitest';
import { storeUrls } from '../src/stores.ts';
import { helpText, parseCommand, strategies } from '../src/options.ts';

const mistakeIn = (...args: string[]) => {
  const command = parseCommand(args);
  return command.kind === 'mistake' ? command.message : command;
};

describe('parseCommand', () => {
  it('has a default for everything', () => {
    expect(parseCommand([])).toEqual({
      kind: 'run',
      options: { seconds: 20, rate: 100, strategy: 'least-connections', backend: 'memory:' },
    });
  });

  it('reads what is given', () => {
    const backend = 'rediss://user:secret@redis.example:6380/2';
    const args = ['--seconds', '7.5', '--rate=300', '--strategy', 'random', '--backend', backend];
    expect(parseCommand(args)).toEqual({
      kind: 'run',
      options: { seconds: 7.5, rate: 300, strategy: 'random', backend },
    });
  });

  it.each(['--help', '-h'])('knows %s', (flag) => {
    expect(parseCommand([flag])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--seconds', '4'], '--seconds is "4", expected a number from 5 to 600'],
    [['--seconds', 'soon'], '--seconds is "soon", expected a number from 5 to 600'],
    [['--rate', ''], '--rate is "", expected a number from 10 to 1000'],
    [['--rate', '1e9'], '--rate is "1e9", expected a number from 10 to 1000'],
    [['--rate', 'NaN'], '--rate is "NaN", expected a number from 10 to 1000'],
    [['--speed', '3'], "Unknown option '--speed'"],
    [['--rate'], "Option '--rate <value>' argument missing"],
    [['fast'], "Unexpected argument 'fast'"],
  ])('says what is wrong with %j', (args, message) => {
    expect(mistakeIn(...args)).toContain(message);
  });

  it.each([
    'redis',
    'redis:',
    'redis://',
    'redis://:6379',
    'redis://127.0.0.1:65536',
    'memory',
    'memory://here',
    'REDIS://127.0.0.1',
    'http://127.0.0.1:6379',
    'toString://127.0.0.1',
    '',
  ])('says which stores there are when it does not know "%s"', (url) => {
    expect(mistakeIn('--backend', url)).toBe(
      `--backend is "${url}", expected one of memory:, redis://host:port, rediss://host:port, ` +
        'consul://:token@host:port, etcd://host:port,host:port, zk://host:port,host:port, ' +
        'k8s://:token@host:port/namespace',
    );
  });

  it('keeps a password to itself', () => {
    expect(mistakeIn('--backend', 'redis://user:se@cret@host:port')).toContain('"redis://***@host:port"');
  });

  it('lists the strategies when it does not know one', () => {
    expect(mistakeIn('--strategy', 'best')).toBe(
      `--strategy is "best", expected one of ${strategies.join(', ')}`,
    );
    expect(strategies).toContain('peak-ewma');
  });
});

describe('helpText', () => {
  it('names every option and strategy, in 80 columns', () => {
    for (const word of [
      '--seconds',
      '--rate',
      '--strategy',
      '--backend',
      '--help',
      ...strategies,
      ...storeUrls,
    ]) {
      expect(helpText).toContain(word);
    }
    expect(Math.max(...helpText.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });
});
