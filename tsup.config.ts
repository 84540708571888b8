import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'tsup';

// Runs in the folder of a package.
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  tsconfig: fileURLToPath(new URL('tsconfig.base.json', import.meta.url)),
  // tsup would inline a workspace package that is not declared; knip reports the missing declaration.
  external: [/^@sd\//],
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  sourcemap: true,
  // The sources are in the package, where the map points.
  esbuildOptions: (options) => {
    options.sourcesContent = false;
  },
  clean: true,
  onSuccess: () => copyFile(new URL('LICENSE', import.meta.url), 'LICENSE'),
});
