import { describe, expect, it } from 'vitest';
import { helpText, parseCommand, strategies } from '../src/options.ts';

const mistakeIn = (...args: string[]) => {
  const command = parseCommand(args);
  return command.kind === 'mistake' ? command.message : command;
};

describe('parseCommand', () => {
  it('has a default for everything', () => {
    expect(parseCommand([])).toEqual({
      kind: 'run',
      options: { seconds: 20, rate: 100, strategy: 'least-connections' },
    });
  });

  it('reads what is given', () => {
    expect(parseCommand(['--seconds', '7.5', '--rate=300', '--strategy', 'random'])).toEqual({
      kind: 'run',
      options: { seconds: 7.5, rate: 300, strategy: 'random' },
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

  it('lists the strategies when it does not know one', () => {
    expect(mistakeIn('--strategy', 'best')).toBe(
      '--strategy is "best", expected one of round-robin, random, least-connections, weighted-round-robin, ' +
        'ip-hash, zone-aware',
    );
  });
});

describe('helpText', () => {
  it('names every option and strategy, in 80 columns', () => {
    for (const word of ['--seconds', '--rate', '--strategy', '--help', ...strategies]) {
      expect(helpText).toContain(word);
    }
    expect(Math.max(...helpText.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });
});
