import { readFile } from 'node:fs/promises';
import { unavailable } from './kubernetes-errors.ts';

/** Where the kubelet puts the files of a pod's service account. */
export const usualFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

export async function readToken(file: string): Promise<string> {
  const token = (await read(file)).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw unavailable(`there is no token in ${file}`);
  return token;
}

export async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    const hint = file.startsWith(usualFolder) ? '; is automountServiceAccountToken off?' : '';
    throw unavailable(`cannot read ${file} (${code})${hint}`, { cause });
  }
}
