import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { workspacePackages } from './tools/workspace.ts';

/**
 * Tests of these mostly wait, most of them for servers: they come last, and more at once than there are cores. Of two cores,
 * five at once use half; with three they took 560 s, and 334 s with five.
 */
const onServers = new Set([
  '@sd/redis',
  '@sd/consul',
  '@sd/etcd',
  '@sd/zookeeper',
  '@sd/kubernetes',
  '@sd/dns',
  'example-own-backend',
]);
const whileWaiting = {
  maxWorkers: availableParallelism() + 3,
  sequence: { groupOrder: 1 },
  // Each wait in them has a limit of its own; several may come together.
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

/** Many short files that leave nothing behind: run one after another in a process they take half the time. */
const inOneProcess = new Set([
  '@sd/load-balancers',
  '@sd/core',
  '@sd/health',
  '@sd/discovery',
  '@sd/registry',
  '@sd/client',
]);

/** On a fresh clone nobody knows yet what takes long, and a suite of minutes that begins last is all that still runs. */
class SuitesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSuite = ({ moduleId }: TestSpecification): boolean =>
      /\/(standalone|cluster|sentinel|ensemble|conformance|stores)\.test\.ts$/.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isSuite), ...sorted.filter((file) => !isSuite(file))];
  }
}

/** Vite leaves standard decorators as they are, which Node cannot run; of the legacy ones it knows. */
const standardDecorators: Plugin = {
  name: 'standard-decorators',
  enforce: 'pre',
  async transform(code, file) {
    if (!file.includes('/test/standard/')) return undefined;
    const { default: ts } = await import('typescript');
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, sourceMap: true };
    const { outputText, sourceMapText = '' } = ts.transpileModule(code, { compilerOptions, fileName: file });
    return { code: outputText, map: sourceMapText };
  },
};

export default defineConfig({
  // `resolve.conditions` alone does not reach tests that run in Node.
  ssr: { resolve: { conditions: ['@sd/source'] } },
  test: {
    coverage: { include: ['packages/**/src/**'] },
    sequence: { sequencer: SuitesFirst },
    projects: [
      ...workspacePackages().map(({ name, folder }) => project(name, folder)),
      { extends: true, test: { name: 'sim', include: ['tools/sim/test/*.test.ts'], testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: 'chaos', include: ['tools/chaos/test/*.test.ts'], maxConcurrency: 2, ...whileWaiting },
      },
      { extends: true, test: { name: 'fuzz', include: ['tools/fuzz/test/*.test.ts'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'soak', include: ['tools/soak/test/*.test.ts'], testTimeout: 120_000 } },
      // These start npm, ESLint and the TypeScript compiler.
      { extends: true, test: { name: 'tools', include: ['tools/test/*.test.ts'], testTimeout: 30_000 } },
      { extends: true, test: { name: 'docs', include: ['tools/docs/*.test.ts'], testTimeout: 30_000 } },
    ],
  },
});

function project(name: string, folder: string) {
  const include = [`${folder}/{src,test}/**/*.test.ts`];
  const isolate = !inOneProcess.has(name);
  const schedule = onServers.has(name) ? whileWaiting : {};
  const plugins = name === '@sd/decorators' ? [standardDecorators] : [];
  return { extends: true as const, plugins, test: { name, include, isolate, ...schedule } };
}
