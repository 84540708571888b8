import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('churn.program.ts', import.meta.url));

it('keeps nothing of 10,000 instances that joined and left', { timeout: 240_000 }, async () => {
  const node = ['--expose-gc', '--conditions=@sd/source', '--import=tsx', program];
  const { stdout } = await promisify(execFile)(process.execPath, node, { timeout: 230_000 });
  const left = JSON.parse(stdout) as Record<string, number>;
  expect(left).toMatchObject({ failed: 0, connections: 0, listeners: 0 });
  expect(left.joined).toBeGreaterThanOrEqual(12_000);
  expect(left.resources).toBeLessThanOrEqual(0);
  expect(left.heapMb).toBeLessThan(2);
});
