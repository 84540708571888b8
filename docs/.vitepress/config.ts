import { dirname, relative } from 'node:path';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { anchorOf } from '../../tools/docs/links.ts';
import { pageOf, repository, siteHref } from '../../tools/docs/site.ts';
import { publishedPackages, root } from '../../tools/workspace.ts';

const sidebar: Record<string, DefaultTheme.SidebarItem[]> = {
  '/': [
    group('Begin', [
      ['What it is', '/'],
      ['Getting started', '/getting-started'],
      ['Concepts', '/concepts'],
      ['The demo', '/demo'],
    ]),
    group('In production', [
      ['Operating it', '/operating'],
      ['Failure modes', '/failure-modes'],
      ['Telemetry', '/telemetry'],
      ['Migrating to it', '/migrating'],
    ]),
    group('Your own', [
      ['A backend', '/own-backend'],
      ['Strategies and layers', '/own-strategies-and-layers'],
    ]),
    ...packages('/packages/'),
    group('Proof', [
      ['Simulator', '/simulator'],
      ['Chaos', '/chaos'],
      ['Fuzz', '/fuzz'],
      ['Soak', '/soak'],
      ['Sizes', '/sizes'],
      ['Licences', '/licences'],
    ]),
    group('The project', [['Contributing', '/contributing']]),
  ],
  '/api/': packages('/api/@sd/'),
};

// The pages are the files of the repository: docs/, the READMEs, and what tools/docs/api.ts writes.
export default defineConfig({
  title: 'sd',
  description: 'Service discovery for Node and TypeScript',
  lang: 'en',
  cleanUrls: true,
  srcDir: root,
  srcExclude: ['SECURITY.md', '**/CHANGELOG.md', '**/test/**', 'examples/**'],
  rewrites: (file) => pageOf(file) ?? file,
  markdown: {
    anchor: { slugify: anchorOf },
    config(md) {
      md.core.ruler.push('links-of-the-repository', ({ tokens, env }) => {
        const { realPath } = env as { realPath?: string }; // absent where only the text of a page is wanted, for the search
        if (realPath === undefined) return;
        const file = relative(root, realPath);
        if (file.startsWith('docs/api/')) return; // these are links between pages already
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === 'link_open' ? token.attrGet('href') : null;
          if (href !== null) token.attrSet('href', siteHref(file, href));
        }
      });
    },
  },
  vite: { publicDir: false, build: { chunkSizeWarningLimit: 2_000 } }, // the index of the search is one chunk
  // VitePress looks at the links of pages alone.
  buildEnd({ pages, rewrites }) {
    const links = pages.map((file) => `/${(rewrites.map[file] ?? file).replace(/(index)?\.md$/, '')}`);
    const listed = Object.values(sidebar).flatMap((groups) => groups.flatMap(({ items = [] }) => items));
    const dead = listed.flatMap(({ link = '' }) => (links.includes(link) ? [] : [link]));
    if (dead.length > 0) throw new Error(`The sidebar has dead links: ${dead.join(' ')}`);
  },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: '^/(?!api/|packages/)' },
      { text: 'Packages', link: '/packages/client', activeMatch: '^/packages/' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: repository }],
  },
});

function group(text: string, items: readonly (readonly [string, string])[]): DefaultTheme.SidebarItem {
  return { text, items: items.map(([item, link]) => ({ text: item, link })) };
}

/** @param link of their pages, up to the name */
function packages(link: string): DefaultTheme.SidebarItem[] {
  const groups = {
    Packages: 'packages',
    Backends: 'packages/backends',
    Integrations: 'packages/integrations',
  };
  return Object.entries(groups).map(([text, parent]) => {
    const inside = publishedPackages().filter(({ folder }) => dirname(folder) === parent);
    return group(
      text,
      inside.map(({ name }) => [name, name.replace('@sd/', link)]),
    );
  });
}
