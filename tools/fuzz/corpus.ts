import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nothingIsPolluted } from './oracle.ts';
import type { FuzzTarget } from './target.ts';

const root = fileURLToPath(new URL('corpus/', import.meta.url));

export interface CorpusEntry {
  /** Of the file, or `seed 3`. */
  readonly name: string;
  readonly input: Buffer;
}

/** What is known of a target: its seeds, and what was found and kept since. */
export function corpusOf({ name, seeds }: FuzzTarget): readonly CorpusEntry[] {
  const folder = join(root, name);
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return [
    ...seeds.map((seed, index) => ({ name: `seed ${index}`, input: Buffer.from(seed) })),
    ...files.map((file) => ({ name: file, input: readFileSync(join(folder, file)) })),
  ];
}

/** @returns the path of the file */
export function keep({ name }: FuzzTarget, kind: 'found' | 'reached', input: Buffer): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${kind}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`);
  writeFileSync(path, input);
  return path;
}

/** @returns what is wrong, if something is */
export async function problemOf(target: FuzzTarget, input: Buffer): Promise<string | undefined> {
  try {
    await inTime(target.run(input), target.mostMs);
    nothingIsPolluted();
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** What never ends would be taken for a long look. */
async function inTime(run: void | Promise<void>, mostMs = 9_000): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has not ended within ${mostMs} ms`)), mostMs);
  });
  try {
    await Promise.race([run, late]);
  } finally {
    clearTimeout(timer);
  }
}
