const counts = { '✓': 0, '–': 0, '✗': 0 };

/**
 * Prints one line for it, and below what went wrong; the process then ends with 1. What begins with `not` was not done,
 * and is the reason.
 *
 * @returns `undefined` when it failed
 */
export async function step<T>(what: string, action: () => T | Promise<T>): Promise<T | undefined> {
  const start = performance.now();
  const report = (mark: keyof typeof counts, remark = ''): void => {
    counts[mark]++;
    console.log(`${mark} ${what}${remark} (${((performance.now() - start) / 1_000).toFixed(1)} s)`);
  };
  try {
    const result = await action();
    if (typeof result === 'string' && result.startsWith('not ')) report('–', `: ${result}`);
    else report('✓');
    return result;
  } catch (error) {
    report('✗');
    console.error(messageOf(error).replaceAll(/^/gm, '    '));
    process.exitCode = 1;
    return undefined;
  }
}

export function total(): string {
  return `${counts['✓']} passed, ${counts['–']} not done, ${counts['✗']} failed`;
}

/** That of a command that failed has what it wrote to stderr; some write to stdout. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'stdout' in error && typeof error.stdout === 'string'
    ? `${error.message}\n${error.stdout}`
    : error.message;
}
