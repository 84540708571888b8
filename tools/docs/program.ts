import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../workspace.ts';
import type { Block } from './blocks.ts';

mkdirSync(join(root, '.tmp'), { recursive: true });
const folder = mkdtempSync(join(root, '.tmp/docs-'));

/** Writes the blocks where `@sd/*` resolves to source, and type-checks them in one program. */
export function compile(blocks: readonly Block[]): (block: Block) => readonly string[] {
  for (const block of blocks) writeFileSync(fileOf(block), block.code);

  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      allowJs: true,
      checkJs: true,
      moduleDetection: 'force',
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    root,
  );
  const program = ts.createProgram(blocks.map(fileOf), options);
  return (block) => {
    const source = program.getSourceFile(fileOf(block));
    return ts.getPreEmitDiagnostics(program, source).map(({ messageText, start }) => {
      const line = block.line + (source && start ? source.getLineAndCharacterOfPosition(start).line : 0);
      return `${block.file}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  };
}

export interface Run {
  readonly exit: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a block that `compile` has written, as a program of its own. */
export function run(block: Block, timeoutMs: number): Promise<Run> {
  return runFile(fileOf(block), timeoutMs);
}

/**
 * @param file absolute
 * @param cwd where tsx looks for a tsconfig.json, also above
 */
export function runFile(file: string, timeoutMs: number, cwd = root): Promise<Run> {
  const child = spawn(process.execPath, ['--conditions=@sd/source', '--import', 'tsx', file], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ exit: signal ?? code, stdout, stderr }));
  });
}

export function cleanUp(): void {
  rmSync(folder, { recursive: true });
}

function fileOf({ file, line, language }: Block): string {
  return join(folder, `${file.replaceAll('/', '-')}-${line}.${language}`);
}
