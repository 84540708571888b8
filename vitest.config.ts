import { defineConfig } from 'vitest/config';
import { workspacePackages } from './tools/workspace.ts';

export default defineConfig({
  // `resolve.conditions` alone does not reach tests that run in Node.
  ssr: { resolve: { conditions: ['@sd/source'] } },
  test: {
    passWithNoTests: true,
    projects: [
      ...workspacePackages().map(({ name, folder }) => project(name, folder)),
      project('tools', 'tools'),
      { extends: true, test: { name: 'docs', include: ['tools/docs/*.test.ts'] } },
    ],
  },
});

function project(name: string, folder: string) {
  return { extends: true as const, test: { name, include: [`${folder}/{src,test}/**/*.test.ts`] } };
}
