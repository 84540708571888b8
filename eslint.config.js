import js from '@eslint/js';
import { createProjectGraphAsync } from '@nx/devkit';
import nx from '@nx/eslint-plugin';
import regexp from 'eslint-plugin-regexp';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { benchBoundaries, boundaries, fuzzBoundaries, testBoundaries } from './tools/lint/layers.js';
import { reasonedAssertion } from './tools/lint/reasoned-assertion.js';

// Without a project graph @nx/enforce-module-boundaries skips itself in silence.
await createProjectGraphAsync();

const reasons = { allowThrowingAny: true, allowThrowingUnknown: true };
const tests = ['**/{test,bench}/**', '**/*.test.ts'];

export default defineConfig(
  { ignores: ['**/dist/', '**/coverage/', '.nx/', '.servers/', '.tmp/', 'docs/.vitepress/cache/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { sd: { rules: { 'reasoned-assertion': reasonedAssertion } } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // Nest tells modules by their class.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'sd/reasoned-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, varsIgnorePattern: '^_' }],
      // `signal.reason` is of type any.
      '@typescript-eslint/only-throw-error': ['error', reasons],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', reasons],
      // A contract that is asynchronous for others may be kept without waiting.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
      ],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: { console: false, process: false, URL: false, fetch: false } },
  },
  { files: ['*.config.ts', 'docs/.vitepress/config.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['packages/**/src/**'],
    ignores: ['packages/core/src/logger.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    // What others wrote is read here: no text may take time that grows faster than it does.
    files: ['packages/**/src/**'],
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential' }],
    },
  },
  {
    files: ['**/*.{ts,js,mjs}'],
    plugins: { '@nx': nx },
    rules: { '@nx/enforce-module-boundaries': ['error', boundaries] },
  },
  {
    files: ['tools/fuzz/{targets,streams/stores}/**'],
    rules: { '@nx/enforce-module-boundaries': ['error', fuzzBoundaries] },
  },
  {
    files: tests,
    rules: {
      '@nx/enforce-module-boundaries': ['error', testBoundaries],
      'sd/reasoned-assertion': 'off',
    },
  },
  {
    files: ['**/bench/**'],
    ignores: ['tools/**'],
    rules: { '@nx/enforce-module-boundaries': ['error', benchBoundaries] },
  },
);
