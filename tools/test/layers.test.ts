import { ESLint } from 'eslint';
import { expect, it } from 'vitest';
import { root } from '../workspace.ts';

const rule = '@nx/enforce-module-boundaries';
const eslint = new ESLint({
  cwd: root,
  ruleFilter: ({ ruleId }) => ruleId === rule,
  overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
});

it.each([
  ['packages/core/src/index.ts', '@sd/load-balancers'],
  ['packages/registry/src/index.ts', '@sd/discovery'],
  ['packages/registry/src/index.ts', '@sd/memory'],
  ['packages/client/src/index.ts', '@sd/testkit'],
  ['packages/backends/memory/src/index.ts', '@sd/registry'],
  ['packages/backends/memory/src/index.ts', '@sd/static'],
  ['packages/backends/memory/src/index.ts', '@sd/testkit'],
  ['packages/backends/memory/test/some.test.ts', '@sd/registry'],
  ['packages/backends/memory/src/index.ts', '../../../core/src/index.ts'],
  ['packages/core/test/some.test.ts', '../../registry/src/index.ts'],
  ['packages/core/src/index.ts', '../../../tools/workspace.ts'],
  ['packages/core/src/index.ts', '../../../tools/servers/index.ts'],
])('lint fails when %s imports %s', async (file, target) => {
  expect(await complaints(file, `export * from '${target}';`)).toEqual([rule]);
  expect(await complaints(file, `import { x } from '${target}';`)).toEqual([rule]);
  expect(await complaints(file, `await import('${target}');`)).toEqual([rule]);
});

it.each([
  ['packages/load-balancers/src/index.ts', '@sd/core'],
  ['packages/client/src/index.ts', '@sd/discovery'],
  ['packages/backends/memory/src/index.ts', '@sd/core'],
  ['packages/backends/memory/src/index.ts', './memory-backend.ts'],
  ['packages/testkit/src/index.ts', './eventually.ts'],
  ['packages/backends/memory/test/some.test.ts', '@sd/testkit'],
  ['packages/core/test/some.test.ts', '@sd/memory'],
  ['packages/core/test/some.test.ts', '../../../tools/servers/index.ts'],
  ['packages/testkit/src/index.ts', '@sd/registry'],
  ['apps/demo/src/main.ts', '@sd/static'],
])('lint passes when %s imports %s', async (file, target) => {
  expect(await complaints(file, `export * from '${target}';`)).toEqual([]);
});

async function complaints(filePath: string, code: string) {
  const [result] = await eslint.lintText(code, { filePath });
  return result?.messages.map(({ ruleId, message }) => ruleId ?? message);
}
