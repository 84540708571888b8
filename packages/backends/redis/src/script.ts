import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script: Redis knows it by its hash, once it has seen it. */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  /** What it calls, in lower case: a user needs the right to each. */
  readonly commands: readonly string[];
}

export const scripts = {
  register: script('register'),
  renew: script('renew'),
  release: script('release'),
  read: script('read'),
  count: script('count'),
  touch: script('touch'),
  list: script('list'),
};

function script(name: string): Script {
  const source = `${text('shared')}\n${text(name)}`;
  const calls = source.matchAll(/redis\.p?call\('(\w+)'/g);
  const commands = [...new Set(Array.from(calls, ([, command = '']) => command.toLowerCase()))];
  return { name, source, sha: createHash('sha1').update(source).digest('hex'), commands };
}

/** `src` is published beside `dist`, so the same path leads there from both. */
function text(name: string): string {
  return readFileSync(new URL(`../src/scripts/${name}.lua`, import.meta.url), 'utf8');
}
