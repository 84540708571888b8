import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../workspace.ts';
import { documentedFiles } from './blocks.ts';
import { anchorOf, anchorsOf, brokenLink, hrefsOf } from './links.ts';
import { siteHref } from './site.ts';

it.each(documentedFiles())('%s has no dead link', (file) => {
  const hrefs = hrefsOf(readFileSync(join(root, file), 'utf8'));
  expect(hrefs.flatMap((href) => brokenLink(file, href) ?? [])).toEqual([]);
});

it('finds links and pictures, but not in code or comments', () => {
  const markdown = [
    '[a](a.md) and ![b](b.svg "B"), not `[c](c.md)`',
    '<img alt="" src="d.svg">',
    '<!-- [e](e.md) -->',
    '```ts',
    '[f](f.md)',
    '```',
  ].join('\n');
  expect(hrefsOf(markdown)).toEqual(['a.md', 'b.svg', 'd.svg']);
});

it('makes the anchors that GitHub makes', () => {
  expect(anchorOf('`ServiceClient` at undici’s speed, 100 % _now_')).toBe(
    'serviceclient-at-undicis-speed-100--_now_',
  );
  expect(anchorsOf('# A *b*\n## [C](c.md)\n## C\n')).toEqual(new Set(['a-b', 'c', 'c-1']));
});

it('says what is wrong with a link', () => {
  expect(brokenLink('README.md', 'packages/none')).toBe(
    'README.md: packages/none: there is no packages/none',
  );
  expect(brokenLink('README.md', 'packages/core#none')).toContain(
    'no such heading in packages/core/README.md',
  );
  expect(brokenLink('README.md', '../elsewhere')).toContain('there is no');
  expect(brokenLink('README.md', 'https://example.com/#none')).toBeUndefined();
});

it('leads from page to page on the site, and to GitHub for all else', () => {
  const file = 'packages/backends/redis/README.md';
  expect(siteHref(file, '../../health#checks')).toBe('/packages/health#checks');
  expect(siteHref(file, '../../../README.md')).toBe('/');
  expect(siteHref(file, '../../../docs/telemetry.md')).toBe('/telemetry');
  expect(siteHref(file, '#rights')).toBe('#rights');
  expect(siteHref(file, 'src/scripts')).toBe(
    'https://github.com/sd-js/sd/tree/main/packages/backends/redis/src/scripts',
  );
  expect(() => siteHref(file, '../nowhere')).toThrow('there is no packages/backends/nowhere');
});
