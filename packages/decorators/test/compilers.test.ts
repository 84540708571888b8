import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { expect, it, onTestFinished } from 'vitest';

const kinds = ['standard', 'legacy'] as const;
const compilers = ['tsc', 'esbuild'] as const;
const cases = kinds.flatMap((kind) => compilers.map((compiler) => [kind, compiler] as const));

it.each(cases)('%s decorators work as %s compiles them', { timeout: 20_000 }, async (kind, compiler) => {
  const source = fileURLToPath(new URL(`${kind}/program.ts`, import.meta.url));
  // tsx has esbuild compile what is TypeScript, and looks for no other tsconfig than the one it is told.
  const program = compiler === 'esbuild' ? source : compiledByTsc(source, kind === 'legacy');
  const tsconfig = kind === 'legacy' ? 'tsconfig.legacy.json' : 'tsconfig.json';
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@sd/source', '--import', 'tsx', program],
    { cwd: root, env: { ...process.env, TSX_TSCONFIG_PATH: join(root, tsconfig) } },
  );
  expect(stdout).toBe('/7 true\n');
});

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** @returns a file in which the packages are found as in the source */
function compiledByTsc(source: string, experimentalDecorators: boolean): string {
  mkdirSync(join(root, '.tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, '.tmp/decorators-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    experimentalDecorators,
    emitDecoratorMetadata: experimentalDecorators,
    useDefineForClassFields: !experimentalDecorators, // as Nest and others set it
  };
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions });
  const program = join(folder, 'program.mjs');
  writeFileSync(program, outputText.replace('../../src/index.ts', '@sd/decorators'));
  return program;
}
