import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { root } from '../workspace.ts';

/** A link to something in this repository. */
export interface Link {
  /** Relative to the root: `packages/core/README.md`, `examples/grpc`. A folder with a README is that README. */
  readonly file: string;
  /** Without its `#`; empty for none. */
  readonly anchor: string;
}

/** @returns undefined for what leads out of the repository */
export function linkOf(file: string, href: string): Link | undefined {
  if (/^([a-z]+:|\/\/)/i.test(href)) return undefined;
  const [path = '', anchor = ''] = decodeURI(href).split('#');
  const target = path === '' ? file : normalize(join(dirname(file), path)).replace(/\/$/, '');
  const readme = join(target, 'README.md');
  return { file: isFolder(target) && existsSync(join(root, readme)) ? readme : target, anchor };
}

/** @returns what is wrong with a link, or undefined */
export function brokenLink(file: string, href: string): string | undefined {
  const link = linkOf(file, href);
  if (link === undefined) return undefined;
  if (link.file.startsWith('..') || !existsSync(join(root, link.file))) {
    return `${file}: ${href}: there is no ${link.file}`;
  }
  if (link.anchor === '' || !link.file.endsWith('.md')) return undefined;
  const anchors = anchorsOf(readFileSync(join(root, link.file), 'utf8'));
  return anchors.has(link.anchor) ? undefined : `${file}: ${href}: no such heading in ${link.file}`;
}

/** What the links and pictures of a Markdown file lead to, as it is written there. */
export function hrefsOf(markdown: string): readonly string[] {
  const text = withoutBlocks(markdown).replaceAll(/`[^`\n]*`/g, '`code`');
  const links = text.matchAll(/\]\(([^\s)]+)(?: "[^"]*")?\)/g);
  const elements = text.matchAll(/\s(?:href|src|srcset)="([^"]+)"/g);
  return [...links, ...elements].map(([, href = '']) => href);
}

/** The anchors of all headings. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutBlocks(markdown).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const anchor = anchorOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, ''));
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The anchor of a heading, as GitHub makes it; the site makes the same, so that links hold in both. */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}

function withoutBlocks(markdown: string): string {
  return markdown.replaceAll(/^( *)```.*\n[^]*?^\1```\s*?$/gm, '').replaceAll(/<!--[^]*?-->/g, '');
}

function isFolder(file: string): boolean {
  return statSync(join(root, file), { throwIfNoEntry: false })?.isDirectory() === true;
}
