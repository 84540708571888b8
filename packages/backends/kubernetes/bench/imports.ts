import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { percentile } from './samples.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** Besides @sd/core, which all have loaded; the median of five processes. */
export async function measureImports(): Promise<void> {
  const program = fileURLToPath(new URL('import.program.ts', import.meta.url));
  const rows = ['@sd/kubernetes', '@kubernetes/client-node'].map((name) => {
    const runs = Array.from({ length: 5 }, () => {
      const args = ['--import=tsx', program, name];
      return JSON.parse(execFileSync(process.execPath, args).toString()) as { ms: number; mb: number };
    });
    const median = (key: 'ms' | 'mb'): string =>
      figure(
        percentile(
          runs.map((run) => run[key]),
          0.5,
        ),
      );
    return [name, median('ms'), median('mb')];
  });
  printTable('Loading the package', ['import', 'ms', 'MB RSS'], rows);
}
