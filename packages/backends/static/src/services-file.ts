import { ConfigValidationError, describeValue } from '@sd/core';
import { isNode, LineCounter, parseDocument, visit, type Document } from 'yaml';

/**
 * What a JSON or YAML text has under `services`. Other top-level keys are free, e.g. as a place for YAML anchors.
 * @param file a name that ends in `.json` asks for JSON, any other for YAML
 * @throws {ConfigValidationError} naming file, line and column, when the text is broken or has no `services`
 */
export function parseServicesFile(file: string, text: string): object {
  const json = file.endsWith('.json');
  // JSON is parsed 80 times as fast as YAML, but only the YAML parser, which reads both, knows lines.
  const quick = json ? servicesOf(parseJson(text)) : undefined;
  return quick ?? parseYaml(file, text, json ? 'JSON' : 'YAML');
}

function parseYaml(file: string, text: string, format: 'JSON' | 'YAML'): object {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    ...(format === 'JSON' ? { schema: 'json' } : { merge: true }),
    lineCounter: lines,
    prettyErrors: false, // they quote the file, which may hold secrets
    logLevel: 'error',
  });
  const mistake = (offset: number, field: string, received: string, expected: string) => {
    const { line, col } = lines.linePos(offset);
    return new ConfigValidationError(`${file}:${line}:${col}`, [{ field, received, expected }]);
  };
  const broken = (offset: number, error: unknown) =>
    mistake(
      offset,
      '',
      `broken (${error instanceof Error ? error.message : String(error)})`,
      `valid ${format}`,
    );

  const [error] = document.errors;
  if (error !== undefined) throw broken(error.pos[0], error);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 10_000 });
  } catch (cause) {
    throw broken(unresolvedAlias(document), cause);
  }
  const services = servicesOf(content);
  if (services !== undefined) return services;
  const node = document.get('services', true);
  throw mistake(
    isNode(node) ? (node.range?.[0] ?? 0) : 0,
    'services',
    isNode(node) ? describeValue(node.toJS(document)) : 'missing',
    'an object of service names, each with an array of instances',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function servicesOf(content: unknown): object | undefined {
  if (typeof content !== 'object' || content === null || !('services' in content)) return undefined;
  const { services } = content;
  return typeof services === 'object' && services !== null && !Array.isArray(services) ? services : undefined;
}

/** Where it is, or 0 if all aliases have their anchors. */
function unresolvedAlias(document: Document): number {
  let offset = 0;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}
