import { spawnSync } from 'node:child_process';

export interface Audit {
  readonly outcome: 'passed' | 'failed' | 'not checked';
  /** What npm says. */
  readonly text: string;
}

/** Known vulnerabilities, high or critical, in what is installed there, as the registry that npm is configured with knows them. */
export function auditDependencies(cwd: string): Audit {
  const args = ['audit', '--omit=dev', '--audit-level=high', '--json'];
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8' });
  return auditOutcome(status, stdout, stderr);
}

/** npm ends with 1 in both cases: something was found, and nobody could be asked. Only a report has counts. */
export function auditOutcome(status: number | null, stdout: string, stderr: string): Audit {
  const counts = countsOf(stdout);
  if (counts === undefined) {
    const reason =
      /^npm (?:warn|error) (?:audit )?(.+)$/m.exec(stderr)?.[1] ??
      `npm audit ended with ${status ?? 'nothing'}`;
    return { outcome: 'not checked', text: reason };
  }
  const text = Object.entries(counts)
    .map(([severity, count]) => `${count} ${severity}`)
    .join(', ');
  return { outcome: status === 0 ? 'passed' : 'failed', text };
}

function countsOf(stdout: string): Readonly<Record<string, number>> | undefined {
  try {
    const report = JSON.parse(stdout) as {
      metadata?: { vulnerabilities?: Readonly<Record<string, number>> };
    };
    return report.metadata?.vulnerabilities;
  } catch {
    return undefined;
  }
}
