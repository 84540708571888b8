export interface ChartRow {
  readonly name: string;
  readonly isOurs: boolean;
  readonly values: readonly number[];
}

/** A bar for each row, as SVG that is readable on light and on dark ground. Ours stand out. */
export function barChart(title: string, rows: readonly ChartRow[]): string {
  const most = Math.max(...rows.flatMap(({ values }) => values));
  return chart(title, rows, ({ values: [value = 0] }, top) => {
    const width = round((plot.width * value) / most);
    return [
      `<rect x="${plot.left}" y="${top + 4}" width="${width}" height="${rowHeight - 10}" rx="2"/>`,
      label(plot.left + width + 8, top, value),
    ];
  });
}

/** From the first to the last value of each row, on a logarithmic scale. */
export function spanChart(title: string, rows: readonly ChartRow[]): string {
  const all = rows.flatMap(({ values }) => values).map(Math.log);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const x = (value: number): number =>
    round(plot.left + 12 + ((plot.width - 24) * (Math.log(value) - least)) / (most - least));
  return chart(title, rows, ({ values }, top) => {
    const [from = 1, to = 1] = [values[0], values.at(-1)];
    const middle = top + rowHeight / 2;
    return [
      `<path d="M${x(from)} ${middle}H${x(to)}"/>`,
      `<circle cx="${x(from)}" cy="${middle}" r="4"/><circle cx="${x(to)}" cy="${middle}" r="6"/>`,
      label(Math.max(x(from), x(to)) + 12, top, to),
    ];
  });
}

function chart(
  title: string,
  rows: readonly ChartRow[],
  draw: (row: ChartRow, top: number) => readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.top + rows.length * rowHeight + 10}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${css}</style>`,
    `<text class="title" x="10" y="24">${escaped(title)}</text>`,
    ...rows.flatMap((row, place) => {
      const top = size.top + place * rowHeight;
      return [
        `<g class="${row.isOurs ? 'ours' : 'theirs'}">`,
        `<text x="${plot.left - 10}" y="${top + rowHeight / 2 + 4}" text-anchor="end">${escaped(row.name)}</text>`,
        ...draw(row, top),
        '</g>',
      ];
    }),
    '</svg>\n',
  ].join('\n');
}

function label(x: number, top: number, value: number): string {
  const text = value >= 100 ? Math.round(value).toLocaleString('en') : String(value);
  return `<text x="${x}" y="${top + rowHeight / 2 + 4}">${text}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const size = { width: 860, top: 40 };
const plot = { left: 260, width: 500 };
const rowHeight = 24;
const css = [
  'text{font:13px system-ui,sans-serif;fill:#57606a}',
  '.title{font-size:15px;font-weight:600;fill:#1f2328}',
  '.ours text{font-weight:600;fill:#1f2328}',
  'rect,circle{fill:#8c959f}',
  '.ours rect,.ours circle{fill:#2f9e8f}',
  'path{stroke:#8c959f;stroke-width:2;fill:none}',
  '.ours path{stroke:#2f9e8f}',
  '@media(prefers-color-scheme:dark){text{fill:#9ba4ae}.title,.ours text{fill:#e6edf3}}',
].join('');
