import type { DnsAnswer } from './dns-source.ts';
import { least } from './least.ts';

/** Of which addresses instances are made; undefined: those of IPv4, or of IPv6 where there are none. */
export type Family = 4 | 6 | 'both' | undefined;

/** The addresses of one name, of as many families as it takes. */
export async function inFamilies(
  family: Family,
  ask: (family: 4 | 6) => Promise<DnsAnswer<string>>,
): Promise<DnsAnswer<string>> {
  if (family === 4 || family === 6) return ask(family);
  if (family === 'both') {
    const [four, six] = await Promise.all([ask(4), ask(6)]);
    return { records: [...four.records, ...six.records], ttlMs: least(four.ttlMs, six.ttlMs) };
  }
  const four = await ask(4);
  return four.records.length > 0 ? four : ask(6);
}
