import { basename } from 'node:path';
import { ConfigValidationError, type MalformedEntries } from '@sd/core';
import type { FileText, UnreadFile } from './readings.ts';
import { parseFile, type ParsedFile } from './services-file.ts';
import { readFileServices, type Services, type Snapshot } from './services.ts';

const endings = /\.(json|ya?ml|txt)$/;

/** Whether a file of a folder is for a service; others may lie beside them. */
export const isServiceFile = (name: string): boolean => endings.test(name);

/**
 * Reads a folder with a file for each service: `orders.json` and `orders.yaml` have the list of its instances,
 * `orders.txt` has URLs. A file that is broken or cannot be read costs its service alone, which stays as it was known.
 */
export function readFolderServices(
  texts: readonly (FileText | UnreadFile)[],
  known: Services,
  malformed: MalformedEntries,
): Services {
  const files = new Map<string, ParsedFile>();
  const services = new Map<string, unknown>();
  const unchanged = new Map<string, Snapshot>();
  for (const text of texts) {
    const key = basename(text.file);
    const service = key.replace(endings, '');
    const report = (problem: string): void => malformed.report({ service, key, problem });
    if (files.has(service) || unchanged.has(service)) {
      report(`${text.file}: there is another file for "${service}"`);
      continue;
    }
    if (text.text === undefined) {
      report(`${text.file}: ${text.problem.message}`);
      unchanged.set(service, known.get(service) ?? []);
      continue;
    }
    try {
      const parsed = key.endsWith('.txt') ? parseUrls(text) : parseFile(text);
      files.set(service, parsed);
      services.set(service, parsed.content);
    } catch (error) {
      if (!(error instanceof ConfigValidationError)) throw error;
      report(error.message);
      unchanged.set(service, known.get(service) ?? []);
    }
  }
  const found = {
    services: Object.fromEntries(services),
    locate: ([, service = '', ...path]: readonly (string | number)[]) =>
      files.get(String(service))?.locate(path) ?? String(service),
  };
  const read = readFileServices(found, known, malformed);
  return new Map([...read, ...unchanged].filter(([, instances]) => instances.length > 0));
}

/**
 * Separated by white space or commas, up to a `#`. A line with an `@` is left whole, and so refused whole: these may be
 * parts of a password, which would be shown, or taken for URLs, each by itself.
 */
function parseUrls({ file, text }: FileText): ParsedFile {
  const urls = text.split('\n').flatMap((line, index) => {
    const whole = line.replace(/(^|\s)#.*/, '');
    const found = whole.includes('@')
      ? whole.matchAll(/\S.*/g)
      : line.replace(/#.*/, '').matchAll(/[^\s,]+/g);
    return Array.from(found, (match) => {
      return { url: match[0], place: `${file}:${index + 1}:${match.index + 1}` };
    });
  });
  return {
    content: urls.map(({ url }) => url),
    locate: ([index]) => urls[Number(index)]?.place ?? file,
  };
}
