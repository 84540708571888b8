import { brokenLink, linkOf } from './links.ts';

export const repository = 'https://github.com/sd-js/sd';

/** The page that a Markdown file of the repository becomes: `packages/core.md`. READMEs are pages where they are. */
export function pageOf(file: string): string | undefined {
  if (file === 'README.md') return 'index.md';
  if (file === 'CONTRIBUTING.md') return 'contributing.md';
  if (file === 'apps/demo/README.md') return 'demo.md';
  if (file === 'tools/sim/README.md') return 'simulator.md';
  const [, proof] = /^tools\/(chaos|fuzz|soak)\/README\.md$/.exec(file) ?? [];
  if (proof !== undefined) return `${proof}.md`;
  if (file.startsWith('docs/') && file.endsWith('.md')) return file.slice('docs/'.length);
  const [, name] = /^packages\/(?:(?:backends|integrations)\/)?([^/]+)\/README\.md$/.exec(file) ?? [];
  return name && `packages/${name}.md`;
}

/**
 * Where a link of a file leads on the site: to a page, or to what GitHub shows.
 *
 * @throws if it leads nowhere
 */
export function siteHref(file: string, href: string): string {
  const broken = brokenLink(file, href);
  if (broken !== undefined) throw new Error(broken);
  const link = linkOf(file, href);
  if (link === undefined) return href;
  const hash = link.anchor && `#${link.anchor}`;
  if (link.file === file) return hash;
  const page = pageOf(link.file);
  if (page === undefined) return `${repository}/tree/main/${link.file}${hash}`;
  return `/${page.replace(/(index)?\.md$/, '')}${hash}`;
}
