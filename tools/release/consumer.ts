import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { blocksOf, installedPackages, type Block } from '../docs/blocks.ts';
import { root, type WorkspacePackage } from '../workspace.ts';
import { npm } from './npm.ts';
import type { Stage } from './stages.ts';

/** A folder where somebody has installed one of our packages as its README says. */
export class Consumer {
  readonly folder: string;
  /** The ten lines: the first block of TypeScript in the README that was installed. */
  readonly block: Block;
  /** How many packages are installed, ours among them. */
  readonly packages: number;

  static install({ name, folder: source }: WorkspacePackage, place: Place): Consumer {
    const blocks = blocksOf(name, readFileSync(join(root, source, 'README.md'), 'utf8'));
    const command = blocks.find((block) => installedPackages(block).includes(name));
    const block = blocks.find(({ language }) => language === 'ts');
    if (command === undefined) throw new Error(`The README of ${name} does not say how to install it`);
    if (block === undefined) throw new Error(`The README of ${name} has no block of TypeScript`);

    const folder = join(place.parent, name.replace('/', '-'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    const packages = [...wordsAfterInstall(command), ...place.besides];
    npm(['install', '--loglevel=error', ...packages], { cwd: folder, env: place.env });
    return new Consumer(folder, block);
  }

  private constructor(folder: string, block: Block) {
    this.folder = folder;
    this.block = block;
    const lock = readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8');
    this.packages = Object.keys((JSON.parse(lock) as { packages: object }).packages).length;
  }

  /** The ten lines as plain JavaScript, in that version of Node. @throws what they printed, unless it is as promised */
  async run(executable: string, stage: Stage, timeoutMs = 60_000): Promise<void> {
    const file = join(this.folder, 'ten-lines.js');
    writeFileSync(file, transformSync(stage.code, { loader: 'ts', format: 'esm', target: 'node20' }).code);
    const child = spawn(executable, stage.command?.(file) ?? [file], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const isComplete = (): boolean => stage.prints.every((text) => output.includes(text));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        // A service serves until it is told to stop.
        if (stage.serves && isComplete()) child.kill('SIGKILL');
      });
    }
    const exit = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(signal ?? code));
    });
    if (isComplete() && exit === (stage.serves ? 'SIGKILL' : 0)) return;
    const promised = stage.prints.map((text) => `“${text}”`).join(', ') || 'nothing';
    throw new Error(`They ended with ${exit ?? 'nothing'}, and should print ${promised}:\n${output}`);
  }
}

interface Place {
  /** An empty folder, outside the workspace. */
  readonly parent: string;
  /** Says to npm where it installs from. */
  readonly env: Readonly<Record<string, string>>;
  /** What the README takes for granted beside its line of `npm install`. */
  readonly besides: readonly string[];
}

/** Of all its lines. */
function wordsAfterInstall({ code }: Block): readonly string[] {
  return Array.from(code.matchAll(/\bnpm install (.+)$/gm), ([, words = '']) => words)
    .flatMap((words) => words.split(/\s+/))
    .filter((word) => word !== '' && !word.startsWith('-'));
}
