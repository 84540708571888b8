import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendUnavailableError } from '@sd/core';

export interface FileText {
  /** Its path. */
  readonly file: string;
  readonly text: string;
  readonly problem?: never;
}

/** A file of a folder that could not be read, and why. */
export interface UnreadFile {
  readonly file: string;
  readonly text?: never;
  readonly problem: Error;
}

/** What a file or a folder was found to be: the texts in it, or why it cannot be read. */
export type Reading = { readonly path: string; readonly fingerprint: string } & (
  | { readonly texts: readonly (FileText | UnreadFile)[]; readonly error?: never }
  | { readonly texts?: never; readonly error: BackendUnavailableError }
);

/** More bytes are refused: they would block the process for seconds. */
const maxBytes = 16 * 1024 * 1024;
const maxFiles = 1_000;

/** Never throws. */
export function readOneFile(path: string): Promise<Reading> {
  return reading(path, async () => {
    const texts = await textsOf([path]);
    for (const { problem } of texts) if (problem !== undefined) throw problem;
    return texts;
  });
}

/** All files with such a name, in order of their names; not those that begin with a dot. Never throws. */
export function readFolder(path: string, fits: (name: string) => boolean): Promise<Reading> {
  return reading(path, async () => {
    const names = (await readdir(path)).filter((name) => !name.startsWith('.') && fits(name)).sort();
    if (names.length > maxFiles)
      throw new Error(`it has ${names.length} files, at most ${maxFiles} are read`);
    return textsOf(names.map((name) => join(path, name)));
  });
}

async function reading(
  path: string,
  read: () => Promise<readonly (FileText | UnreadFile)[]>,
): Promise<Reading> {
  try {
    const texts = await read();
    const hash = createHash('sha256');
    for (const { file, text, problem } of texts) {
      const content = text ?? problem.message;
      hash.update(`${file}\0${text === undefined}\0${content.length}\0`).update(content);
    }
    return { path, fingerprint: hash.digest('base64'), texts };
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    const error = new BackendUnavailableError('static', `cannot read "${path}": ${problem}`, { cause });
    return { path, fingerprint: problem, error };
  }
}

/** One that cannot be read costs nothing but itself. @throws when they are too large together */
async function textsOf(files: readonly string[]): Promise<readonly (FileText | UnreadFile)[]> {
  const texts: (FileText | UnreadFile)[] = [];
  let size = 0;
  for (const file of files) {
    try {
      size += await sizeOf(file);
      if (size <= maxBytes) texts.push({ file, text: new TextDecoder().decode(await readFile(file)) });
    } catch (error) {
      texts.push({ file, problem: error instanceof Error ? error : new Error(String(error)) });
    }
    if (size > maxBytes) throw new Error(`it has ${size} bytes, at most ${maxBytes} are read`);
  }
  return texts;
}

/** @throws when it is no regular file: others, such as pipes, may never end */
async function sizeOf(file: string): Promise<number> {
  const about = await stat(file);
  if (!about.isFile()) throw new Error('it is no regular file');
  return about.size;
}
