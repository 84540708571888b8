import { dirname, relative } from 'node:path';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { anchorOf } from '../../tools/docs/links.ts';
import { pageOf, repository, siteHref } from '../../tools/docs/site.ts';
import { publishedPackages, root } from '../../tools/workspace.ts';

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
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: '^/(?!api/|packages/)' },
      { text: 'Packages', link: '/packages/client', activeMatch: '^/packages/' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar: {
      '/': [
        pages('Begin', [
          ['What it is', '/'],
          ['Getting started', '/getting-started'],
          ['Concepts', '/concepts'],
          ['The demo', '/demo'],
        ]),
        pages('In production', [
          ['Operating it', '/operating'],
          ['Failure modes', '/failure-modes'],
          ['Telemetry', '/telemetry'],
          ['Migrating to it', '/migrating'],
        ]),
        pages('Your own', [
          ['A backend', '/own-backend'],
          ['Strategies and layers', '/own-strategies-and-layers'],
        ]),
        ...packages('/packages/'),
        pages('The project', [
          ['Contributing', '/contributing'],
          ['Simulator', '/simulator'],
        ]),
      ],
      '/api/': packages('/api/@sd/'),
    },
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: repository }],
  },
});

function pages(text: string, items: readonly (readonly [string, string])[]): DefaultTheme.SidebarItem {
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
    return pages(
      text,
      inside.map(({ name }) => [name, name.replace('@sd/', link)]),
    );
  });
}
