export interface ChartLine {
  readonly name: string;
  readonly isOurs: boolean;
  /** Time and latency in milliseconds. */
  readonly points: readonly { readonly time: number; readonly latencyMs: number }[];
}

/** A chart of latency (p99 of each step, log scale) over time, as SVG that is readable on light and on dark ground. */
export function chart(title: string, lines: readonly ChartLine[]): string {
  const all = lines.flatMap(({ points }) => points);
  const stepMs = (all[1]?.time ?? 1_000) - (all[0]?.time ?? 0);
  const latest = all.reduce((most, { time }) => Math.max(most, time), 0) + stepMs;
  const [least, most] = decadesAround(all.map(({ latencyMs }) => latencyMs));
  const x = (time: number): number => plot.left + (time / latest) * plot.width;
  const y = (latencyMs: number): number =>
    plot.top + plot.height * (1 - Math.log(Math.max(least, latencyMs) / least) / Math.log(most / least));
  const bottom = plot.top + plot.height;
  const height = Math.max(bottom + 52, plot.top + lines.length * 22 + 10);
  // Ours first: wide, under the others, so that all can be seen where they meet.
  const drawn = lines.map((line, place) => ({ ...line, style: styleOf(lines, place) }));
  const oursFirst = drawn.toSorted((one, other) => Number(other.isOurs) - Number(one.isOurs));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${css}</style>`,
    `<text class="title" x="${plot.left}" y="24">${escaped(title)}</text>`,
    ...latencyTicks(least, most).map(
      (tick) =>
        `<path class="grid" d="M${plot.left} ${round(y(tick))}h${plot.width}"/>` +
        `<text x="${plot.left - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${tick.toLocaleString('en')}</text>`,
    ),
    ...timeTicks(latest).map(
      (tick) =>
        `<path class="axis" d="M${round(x(tick))} ${bottom}v5"/>` +
        `<text x="${round(x(tick))}" y="${bottom + 20}" text-anchor="middle">${tick / 1_000}</text>`,
    ),
    `<path class="axis" d="M${plot.left} ${bottom}h${plot.width}"/>`,
    `<text x="${plot.left + plot.width / 2}" y="${bottom + 42}" text-anchor="middle">time of the request, s</text>`,
    `<text transform="translate(18 ${plot.top + plot.height / 2}) rotate(-90)" text-anchor="middle">` +
      `p99 latency of each ${stepMs / 1_000} s, ms (log)</text>`,
    ...oursFirst.map(({ points, style }) => {
      const places = points.map(({ time, latencyMs }) => `${round(x(time))},${round(y(latencyMs))}`);
      return `<polyline ${style} points="${places.join(' ')}"/>`;
    }),
    ...drawn.flatMap(({ name, isOurs, style }, place) => {
      const [left, top] = [plot.left + plot.width + 22, plot.top + 8 + place * 22];
      return [
        `<path ${style} d="M${left} ${top}h24"/>`,
        `<text${isOurs ? ' class="ours"' : ''} x="${left + 32}" y="${top + 4}">${escaped(name)}</text>`,
      ];
    }),
    '</svg>\n',
  ].join('\n');
}

const size = { width: 1_000 };
const plot = { left: 72, top: 44, width: 620, height: 300 };

const css = [
  'text{font:13px system-ui,sans-serif;fill:#57606a}',
  '.title,.ours{font-weight:600;fill:#1f2328}',
  '.title{font-size:15px}',
  '.grid{stroke:#8c959f;stroke-opacity:.3}',
  '.axis{stroke:#8c959f}',
  'polyline,path{fill:none;stroke-linejoin:round}',
  '@media(prefers-color-scheme:dark){text{fill:#9ba4ae}.title,.ours{fill:#e6edf3}}',
].join('');

/** Of middling lightness, to be seen on white and on black, and not told apart by hue alone: then by dashes. */
const colours = [
  '#e5534b',
  '#2f9e8f',
  '#c69026',
  '#a371f7',
  '#db61a2',
  '#6b8e3d',
  '#b0703c',
  '#808a94',
  '#b04bc4',
];
const oursColours = ['#388bfd', '#1f6feb'];
const dashes = ['', '6 3', '2 3', '9 3 2 3', '12 4'];

function styleOf(lines: readonly ChartLine[], place: number): string {
  const isOurs = lines[place]?.isOurs === true;
  const among = lines.slice(0, place).filter((line) => line.isOurs === isOurs).length;
  const palette = isOurs ? oursColours : colours;
  const dash = isOurs ? '' : (dashes[among % dashes.length] ?? '');
  return (
    `stroke="${palette[among % palette.length]}" stroke-width="${isOurs ? 5 : 1.6}"` +
    (dash === '' ? '' : ` stroke-dasharray="${dash}"`)
  );
}

/** From a 1, 2 or 5 below the least to one above the most. */
function decadesAround(latencies: readonly number[]): readonly [number, number] {
  const positive = latencies.filter((latencyMs) => latencyMs > 0);
  const least = positive.reduce((one, other) => Math.min(one, other), Infinity);
  const most = positive.reduce((one, other) => Math.max(one, other), 0);
  if (most === 0) return [1, 10];
  const ticks = Array.from({ length: 24 }, (_, place) => tickAt(place - 6));
  const below = ticks.findLast((tick) => tick <= least) ?? least;
  const above = ticks.find((tick) => tick >= most && tick > below) ?? most;
  return [below, above];
}

function latencyTicks(least: number, most: number): readonly number[] {
  return Array.from({ length: 24 }, (_, place) => tickAt(place - 6)).filter(
    (tick) => tick >= least && tick <= most,
  );
}

/** …, 0.5, 1, 2, 5, 10, 20, … */
function tickAt(place: number): number {
  const decade = Math.floor(place / 3);
  return Number(`${[1, 2, 5][place - 3 * decade]}e${decade}`);
}

function timeTicks(latest: number): readonly number[] {
  const step = [1_000, 2_000, 5_000, 10_000, 20_000, 60_000].find((each) => latest / each <= 10) ?? latest;
  return Array.from({ length: Math.floor(latest / step) + 1 }, (_, place) => place * step);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
