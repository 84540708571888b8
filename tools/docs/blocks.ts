import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, workspacePackages } from '../workspace.ts';

/** A fenced code block of a Markdown file. */
export interface Block {
  /** `packages/core/README.md`. */
  readonly file: string;
  /** The line of the block's first line of code, counted from 1. */
  readonly line: number;
  readonly language: string;
  /** What follows the language: `compile-only`. */
  readonly info: string;
  readonly code: string;
}

/** The Markdown files that people read: every README and everything in docs/ that is written by hand. */
export function documentedFiles(): readonly string[] {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`);
  return [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'tools/sim/README.md',
    ...inDocs.filter((file) => file.endsWith('.md') && !file.startsWith('docs/api/')),
    ...workspacePackages().map(({ folder }) => `${folder}/README.md`),
  ].filter((file) => existsSync(join(root, file)));
}

/** All blocks of these. */
export function documentedBlocks(): readonly Block[] {
  return documentedFiles().flatMap((file) => blocksOf(file, readFileSync(join(root, file), 'utf8')));
}

export function blocksOf(file: string, markdown: string): readonly Block[] {
  return Array.from(markdown.matchAll(/^( *)```(\w+)(.*)\n([^]*?)^\1```\s*?$/gm), (match) => {
    const [, indent = '', language = '', info = '', code = ''] = match;
    return {
      file,
      line: markdown.slice(0, match.index).split('\n').length + 1,
      language,
      info: info.trim(),
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    };
  });
}

/** What a block says that it prints: `// prints: 3` or `//→ 3`. */
export function promisedOutput({ code }: Pick<Block, 'code'>): readonly string[] {
  return Array.from(code.matchAll(/\/\/ ?(?:prints:|→) *(.+)$/gm), ([, text = '']) => text.trim());
}

/** The packages that a block of shell commands installs from this workspace. */
export function installedPackages({ code }: Block): readonly string[] {
  return Array.from(code.matchAll(/\bnpm (?:install|i|add) (.+)$/gm), ([, names = '']) => names)
    .flatMap((names) => names.split(/\s+/))
    .filter((name) => name.startsWith('@sd/'));
}
