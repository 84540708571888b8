/** What is used of the JSON report of vitest. */
export interface TestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      /** The topology, if the suite runs in several, and the suite. */
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

/** Cases by topology, as a Markdown table: those that were run and passed, failed, or do not apply. */
export function conformanceTable({ testResults }: TestReport): string {
  const results = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ ancestorTitles }) => ancestorTitles.at(-1)?.endsWith('keeps the contract of a backend'))
    .map(({ ancestorTitles, title, status }) => ({ topology: ancestorTitles[0] ?? '', title, status }));
  const ran = results.filter(({ status }) => status in marks);
  const topologies = [...new Set(ran.map(({ topology }) => topology))].sort(byPlainness);
  const titles = [...new Set(results.map(({ title }) => title))];
  const rows = titles.map((title) => {
    const cells = topologies.map((topology) => {
      const result = results.find((each) => each.title === title && each.topology === topology);
      return marks[result?.status ?? ''] ?? '–';
    });
    const [, number = '', sentence = title] = /^(\d+): (.*)$/.exec(title) ?? [];
    return [number, sentence, ...cells];
  });
  const counts = topologies.map((topology) => {
    const of = (status: string): number =>
      results.filter((each) => each.topology === topology && each.status === status).length;
    return `${of('passed')} of ${of('passed') + of('failed')}`;
  });
  const head = ['case', 'what holds', ...topologies];
  return [head, head.map(() => '---'), ...rows, ['', 'passed, of those that apply', ...counts]]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

const marks: Readonly<Record<string, string>> = { passed: '✓', failed: '✗' };

/** The plainest topology first, then by name. */
function byPlainness(left: string, right: string): number {
  const rank = (topology: string): string => (topology === 'standalone' ? '' : topology);
  return rank(left).localeCompare(rank(right));
}
