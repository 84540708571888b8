import { ConfigValidationError, describeValue } from '@sd/core';
import {
  isAlias,
  isCollection,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml';
import type { FileText } from './readings.ts';

/** Keys and indexes from the top of a file down. */
export type Path = readonly (string | number)[];

/**
 * What is nested deeper than this is refused: the YAML parser calls itself for each level, and near the end of the stack
 * not only an error may await it but the end of the process.
 */
const maxNesting = 100;

/** What was read, and where in the text what is. */
export interface ParsedFile {
  readonly content: unknown;
  /** `services.yaml:12:7`, or the closest place above it; the file alone where that would take too long to find. */
  readonly locate: (path: Path) => string;
}

/** For longer texts than this many characters the place of a mistake is not looked for: it would take seconds. */
const maxLocated = 1_048_576;

/**
 * A JSON or YAML text, read: a name that ends in `.json` asks for JSON, any other for YAML.
 * @throws {ConfigValidationError} naming file, line and column, when the text is broken
 */
export function parseFile({ file, text }: FileText): ParsedFile {
  if (!file.endsWith('.json')) return parseYaml(file, text, 'YAML');
  // JSON is parsed 80 times as fast as YAML, but only the YAML parser, which reads both, knows lines.
  const content = parseJson(text);
  if (content === undefined) return parseYaml(file, text, 'JSON');
  let located: ParsedFile | undefined;
  return {
    content,
    locate: (path) =>
      text.length > maxLocated || placeTooDeep(text) !== undefined
        ? file
        : (located ??= parseYaml(file, text, 'JSON')).locate(path),
  };
}

/**
 * What a file has under `services`. Other top-level keys are free, e.g. as a place for YAML anchors.
 * @throws {ConfigValidationError} naming file, line and column, when it has none
 */
export function servicesIn({ content, locate }: ParsedFile): object {
  const services: unknown = isObject(content) && 'services' in content ? content.services : undefined;
  if (isObject(services) && !Array.isArray(services)) return services;
  const expected = 'an object of service names, each with an array of instances';
  throw new ConfigValidationError(locate(['services']), [
    { field: 'services', received: describeValue(services), expected },
  ]);
}

/** At most as deep as it says, as brackets in a string count too: nobody has a hundred of these. */
function placeTooDeep(text: string): number | undefined {
  let brackets = 0;
  for (const { 0: piece, index } of text.matchAll(/[[{]|[\]}]|^[ \t]*(?:[-?:][ \t]+)*/gm)) {
    if (piece === '[' || piece === '{') brackets += 1;
    else if (piece === ']' || piece === '}') brackets = Math.max(0, brackets - 1);
    else if (piece.length > 2 * maxNesting) return index;
    if (brackets > maxNesting) return index;
  }
  return undefined;
}

function parseYaml(file: string, text: string, format: 'JSON' | 'YAML'): ParsedFile {
  const lines = new LineCounter();
  const tooDeep = placeTooDeep(text);
  if (tooDeep !== undefined) {
    const received = `nested deeper than ${maxNesting} levels`;
    throw new ConfigValidationError(placeIn(file, text, tooDeep), [
      { field: '', received, expected: `valid ${format}` },
    ]);
  }
  const document = parseDocument(text, {
    ...(format === 'JSON' ? { schema: 'json' } : { merge: true }),
    uniqueKeys: false, // it would compare each with all others, which takes a minute for some ten thousand
    lineCounter: lines,
    prettyErrors: false, // they quote the file, which may hold secrets
    logLevel: 'error',
  });
  const placeOf = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const broken = (offset: number, error: unknown) => {
    const received = `broken (${error instanceof Error ? error.message : String(error)})`;
    return new ConfigValidationError(placeOf(offset), [{ field: '', received, expected: `valid ${format}` }]);
  };

  const [error] = document.errors;
  if (error !== undefined) throw broken(error.pos[0], error);
  // As JSON.parse() does it, of two with one name the last counts.
  const repeated = format === 'YAML' ? repeatedKey(document) : undefined;
  if (repeated !== undefined) throw broken(repeated, 'Map keys must be unique');
  try {
    const content: unknown = document.toJS({ maxAliasCount: 10_000 });
    return { content, locate: (path) => placeOf(nodeAt(document, path)?.range?.[0] ?? 0) };
  } catch (cause) {
    throw broken(unresolvedAlias(document), cause);
  }
}

/** The last on the way there: what a merge key brought in is elsewhere. */
function nodeAt(document: Document, path: Path): Node | undefined {
  let node: unknown = document.contents;
  let last: Node | undefined;
  for (const key of [...path, undefined]) {
    if (isAlias(node)) node = node.resolve(document);
    if (!isNode(node)) return last;
    // The top begins where its first entry does, and what is missing there has no place.
    if (node !== document.contents) last = node;
    if (key === undefined || !isCollection(node)) return last;
    node = node.get(key, true);
  }
  return last;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function placeIn(file: string, text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Where a key stands that its map has already. */
function repeatedKey(document: Document): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Map(_key, { items }) {
      const known = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (known.has(key.value)) {
          offset = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        known.add(key.value);
      }
      return undefined;
    },
  });
  return offset;
}

/** Where it is, or 0 if all aliases have their anchors. In one pass: to resolve one alone is a pass of its own. */
function unresolvedAlias(document: Document): number {
  const anchors = new Set<string>();
  let offset = 0;
  visit(document, {
    Node(_key, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.add(node.anchor);
      } else if (!anchors.has(node.source)) {
        offset = node.range?.[0] ?? 0;
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return offset;
}
