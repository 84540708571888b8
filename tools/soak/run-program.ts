import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SoakReport } from './soak.ts';

export const programs = ['calls', 'lifecycles', 'leases'] as const;

/** Each in a process of its own, whose garbage can be collected when it is asked for. */
export async function runProgram(
  name: (typeof programs)[number],
  args: readonly string[],
): Promise<SoakReport> {
  const program = fileURLToPath(new URL(`programs/${name}.program.ts`, import.meta.url));
  const node = ['--expose-gc', '--conditions=@sd/source', '--import=tsx', program, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  return JSON.parse(stdout) as SoakReport;
}
