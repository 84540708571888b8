import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from '../workspace.ts';

/** Where install.ts puts what the machine lacks; its `bin` has one executable for each server. */
export const cacheFolder = process.env.SD_TEST_SERVERS_FOLDER ?? join(root, '.servers');

/** The file of a program: on PATH, else fetched by install.ts. */
export function findBinary(name: string, path = process.env.PATH ?? ''): string | undefined {
  return [...path.split(delimiter), join(cacheFolder, 'bin')]
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
