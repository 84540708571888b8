import { DiscoveryClient } from '@sd/client';
import { MemoryBackend } from '@sd/memory';
import { parseArgs } from 'node:util';
import { knownStoreUrl, storeUrls } from './stores.ts';

export interface DemoOptions {
  /** How long load is driven. */
  readonly seconds: number;
  /** Calls per second. */
  readonly rate: number;
  readonly strategy: string;
  /** URL of the store where the instances meet. */
  readonly backend: string;
}

export type Command =
  | { readonly kind: 'run'; readonly options: DemoOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string };

/** Reads the command line, without the names of node and the program. */
export function parseCommand(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({ args: [...args], options: flags });
    if (values.help === true) return { kind: 'help' };
    return {
      kind: 'run',
      options: {
        seconds: numberFrom('--seconds', values.seconds, { least: 5, most: 600 }),
        rate: numberFrom('--rate', values.rate, { least: 10, most: 1_000 }),
        strategy: knownStrategy(values.strategy),
        backend: knownStoreUrl(values.backend),
      },
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Node's own messages go on with advice about positional arguments, of which there are none.
    const [message = ''] = error.message.split(/(?<=[^.])\. |\n/);
    return { kind: 'mistake', message };
  }
}

/** As the client knows them. */
export const strategies: readonly string[] = new DiscoveryClient({ backend: new MemoryBackend() })
  .loadBalancers.names;

const flags = {
  help: { type: 'boolean', short: 'h' },
  seconds: { type: 'string', default: '20' },
  rate: { type: 'string', default: '100' },
  strategy: { type: 'string', default: 'least-connections' },
  backend: { type: 'string', default: 'memory:' },
} as const;

export const helpText = `A small shop of discovered services under load, with instances coming, going
and dying.

Usage: npm start -- [options]

  --seconds <n>      how long, 5 to 600 (default: ${flags.seconds.default})
  --rate <n>         calls per second, 10 to 1000 (default: ${flags.rate.default})
  --strategy <name>  who is called (default: ${flags.strategy.default}), one of
${strategies.map((name) => `                     ${name}`).join('\n')}
  --backend <url>    where instances meet (default: ${flags.backend.default}), one of
${storeUrls.map((url) => `                     ${url}`).join('\n')}
                     With another one than memory: each instance is a process.
  -h, --help         this text

Exit code: 0 when every promise held, 1 when one was broken, 2 for wrong
options or a store that does not answer, 130 after Ctrl-C. NO_COLOR=1 turns
colours off. Without a terminal the demo prints plain lines.
`;

function numberFrom(flag: string, text: string, range: { least: number; most: number }): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= range.least && value <= range.most) return value;
  throw new Error(`${flag} is "${text}", expected a number from ${range.least} to ${range.most}`);
}

function knownStrategy(name: string): string {
  if (strategies.includes(name)) return name;
  throw new Error(`--strategy is "${name}", expected one of ${strategies.join(', ')}`);
}
