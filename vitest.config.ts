import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { workspacePackages } from './tools/workspace.ts';

export default defineConfig({
  // `resolve.conditions` alone does not reach tests that run in Node.
  ssr: { resolve: { conditions: ['@sd/source'] } },
  test: {
    // Tests of backends mostly wait for servers: a worker for each core would leave the cores idle.
    maxWorkers: availableParallelism() + 1,
    coverage: { include: ['packages/**/src/**'] },
    projects: [
      ...workspacePackages().map(({ name, folder }) => project(name, folder)),
      // These start npm, ESLint and the TypeScript compiler.
      { extends: true, test: { name: 'tools', include: ['tools/test/*.test.ts'], testTimeout: 30_000 } },
      { extends: true, test: { name: 'docs', include: ['tools/docs/*.test.ts'], testTimeout: 30_000 } },
    ],
  },
});

function project(name: string, folder: string) {
  return { extends: true as const, test: { name, include: [`${folder}/{src,test}/**/*.test.ts`] } };
}
