import { readFile } from 'node:fs/promises';

/** How a name that does not end in a dot is completed. */
export interface SearchRules {
  readonly domains: readonly string[];
  /** A name with fewer dots is tried with the domains first. */
  readonly ndots: number;
}

/**
 * What the system's own resolver, and so `dns.lookup()`, goes by: `/etc/resolv.conf`, and LOCALDOMAIN and RES_OPTIONS
 * of the environment. Node's `dns.resolve()` has no such rules. Where there is no such file there are none.
 * @throws when the file cannot be read for the moment
 */
export async function readSearchRules(
  file = '/etc/resolv.conf',
  { LOCALDOMAIN = '', RES_OPTIONS = '' }: NodeJS.ProcessEnv = process.env,
): Promise<SearchRules> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isForGood(error)) return '';
    throw error;
  });
  const search = LOCALDOMAIN === '' ? '' : `search ${LOCALDOMAIN}`;
  return parseResolvConf(`${text.slice(0, 65_536)}\n${search}\noptions ${RES_OPTIONS}`);
}

/** As the C library has it: what else may be wrong, such as too many open files, passes. */
function isForGood(error: unknown): boolean {
  const codes = ['EACCES', 'EISDIR', 'ELOOP', 'ENOENT', 'ENOTDIR', 'EPERM'];
  return codes.includes(String(Reflect.get(Object(error), 'code')));
}

/** See resolv.conf(5): the last of `search` and `domain` counts, and options add up. */
export function parseResolvConf(text: string): SearchRules {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search') domains = values;
    if (keyword === 'domain') domains = values.slice(0, 1);
    if (keyword !== 'options') continue;
    for (const value of values) {
      const [, number] = /^ndots:(\d+)$/.exec(value) ?? [];
      if (number !== undefined) ndots = Math.min(15, Number(number));
    }
  }
  return {
    domains: domains.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== ''),
    ndots,
  };
}

/** The names to try, in order, without the dot at the end. */
export function candidates(name: string, { domains, ndots }: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const completed = domains.map((domain) => `${name}.${domain}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...completed] : [...completed, name];
}
