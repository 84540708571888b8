import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishedPackages, root } from '../workspace.ts';

// A manifest cannot inherit, so what all packages share is compared.
const published = publishedPackages();
const version = published[0]?.manifest.version ?? 'none';

/** Folders that are shipped where there are such: what others read, and no code. */
const besides = ['grafana'];

describe.each(published.map((each) => [each.name, each] as const))('%s', (name, { folder, manifest }) => {
  it('has the manifest that all packages have', () => {
    const { dependencies, peerDependencies, peerDependenciesMeta, devDependencies, ...shared } = manifest;
    expect(shared).toEqual({
      name: `@sd/${folder.split('/').at(-1)}`,
      version,
      description: expect.stringMatching(/^[A-Z].*[^.]$/) as string,
      license: 'MIT',
      repository: { type: 'git', url: 'git+https://github.com/sd-js/sd.git', directory: folder },
      homepage: `https://github.com/sd-js/sd/tree/main/${folder}#readme`,
      bugs: { url: 'https://github.com/sd-js/sd/issues' },
      keywords: expect.arrayContaining(['service-discovery']) as string[],
      type: 'module',
      sideEffects: false,
      engines: { node: '>=20.19' },
      files: ['dist', 'src', ...besides.filter((each) => existsSync(join(root, folder, each)))],
      exports: {
        '.': {
          '@sd/source': './src/index.ts',
          types: './dist/index.d.ts',
          default: './dist/index.js',
        },
        './package.json': './package.json',
      },
      publishConfig: { access: 'public' },
    });
    const ranges = Object.entries({ ...dependencies, ...peerDependencies, ...devDependencies });
    for (const [dependency, range] of ranges) {
      if (dependency.startsWith('@sd/')) expect(range, dependency).toBe(`^${version}`);
    }
  });

  it('has the targets and the one layer that all packages have', () => {
    const project = JSON.parse(readFileSync(join(root, folder, 'project.json'), 'utf8')) as {
      tags: string[];
      targets: object;
    };
    expect(project).toMatchObject({ name, targets: { build: {}, test: {}, 'package-check': {} } });
    expect(project.tags).toEqual([expect.stringMatching(/^layer:/)]);
  });

  it('has a README', () => expect(existsSync(join(root, folder, 'README.md'))).toBe(true));
});
