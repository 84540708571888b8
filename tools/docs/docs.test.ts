import { afterAll, describe, expect, it } from 'vitest';
import { publishedPackages } from '../workspace.ts';
import { documentedBlocks, installedPackages, promisedOutput, type Block } from './blocks.ts';
import { cleanUp, compile, run } from './program.ts';

const timeoutMs = 20_000;
const blocks = documentedBlocks();
const programs = blocks.filter(({ language }) => language === 'ts' || language === 'js');
const errorsOf = compile(programs);

afterAll(cleanUp);

describe.each(programs.map((block) => [at(block), block] as const))('%s', (where, block) => {
  it('compiles', () => expect(errorsOf(block)).toEqual([]));

  if (block.info === 'compile-only') return;
  it('runs', { timeout: timeoutMs + 5_000 }, async () => {
    const { exit, stdout, stderr } = await run(block, timeoutMs);
    expect(exit, `${where} should exit with 0 within ${timeoutMs / 1000} s\n${stdout}${stderr}`).toBe(0);
    for (const text of promisedOutput(block)) {
      expect(stdout, `${where} says that it prints “${text}”`).toContain(text);
    }
  });
});

it('installs only packages that exist', () => {
  const names = new Set(publishedPackages().map(({ name }) => name));
  const unknown = blocks.flatMap((block) =>
    installedPackages(block)
      .filter((name) => !names.has(name))
      .map((name) => `${at(block)} installs ${name}`),
  );
  expect(unknown).toEqual([]);
});

function at({ file, line }: Block): string {
  return `${file}:${line}`;
}
