import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../workspace.ts';
import { promisedOutput } from './blocks.ts';
import { cleanUp, runFile } from './program.ts';

const timeoutMs = 20_000;
const folder = join(root, 'examples');
const names = readdirSync(folder);

afterAll(cleanUp);

describe.each(names)('examples/%s', (name) => {
  it('runs, and prints what it says that it prints', { timeout: timeoutMs + 5_000 }, async () => {
    const file = join(folder, name, 'main.ts');
    const promised = promisedOutput({ code: readFileSync(file, 'utf8') });
    expect(promised).not.toEqual([]);

    const { exit, stdout, stderr } = await runFile(file, timeoutMs, join(folder, name));

    expect(exit, `it should exit with 0 within ${timeoutMs / 1000} s\n${stdout}${stderr}`).toBe(0);
    for (const text of promised) expect(stdout).toContain(text);
  });
});
