import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SoakReport } from './soak.ts';

/** By name, the file, and what it is told. */
const files = {
  calls: ['calls'],
  lifecycles: ['lifecycles'],
  'leases-redis': ['leases', 'redis'],
  'leases-etcd': ['leases', 'etcd'],
  'leases-consul': ['leases', 'consul'],
  'leases-zookeeper': ['leases', 'zookeeper'],
} as const;

export type ProgramName = keyof typeof files;
export const programs = Object.keys(files) as ProgramName[];

/** Each in a process of its own, whose garbage can be collected when it is asked for. */
export async function runProgram(name: ProgramName, args: readonly string[]): Promise<SoakReport> {
  const [file, ...told] = files[name];
  const program = fileURLToPath(new URL(`programs/${file}.program.ts`, import.meta.url));
  const node = ['--expose-gc', '--conditions=@sd/source', '--import=tsx', program, ...told, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  return JSON.parse(stdout) as SoakReport;
}
