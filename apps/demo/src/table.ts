import { count, milliseconds, seconds } from './figures.ts';
import type { InstanceState, ShopEvent, ShopState } from './shop-state.ts';
import { fit, type Line, type Span, type Style } from './text.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The shop as a screen of at most this size: what happens to it, and as many events as there is room for. */
export function renderScreen(state: ShopState, { columns, rows }: Size): readonly Line[] {
  const lines = [titleLine(state), callsLine(state), [], headerLine, ...instanceLines(state), []];
  const room = Math.max(0, rows - lines.length);
  const events = room === 0 ? [] : state.events.slice(-room).map(eventLine);
  return [...lines, ...events].slice(0, rows).map((line) => fit(line, columns));
}

/** One line that says how the callers fare, for where there is no screen. */
export function renderStatus({ elapsedMs, calls, instances }: ShopState): Line {
  const known = instances.filter(({ status }) => status !== undefined).length;
  const latency = `p50 ${milliseconds(calls.p50)} ms  p99 ${milliseconds(calls.p99)} ms`;
  const text = `${count(calls.made)} calls  ${calls.failed} failed  ${calls.retries} retried  ${latency}`;
  return [{ text: time(elapsedMs), style: 'dim' }, { text: `  ${text}  ${known} instances` }];
}

export function eventLine({ atMs, text }: ShopEvent): Line {
  return [
    { text: time(atMs), style: 'dim' },
    { text: `  ${text}`, style: 'cyan' },
  ];
}

const time = (elapsedMs: number): string => seconds(elapsedMs).padStart(7);

function titleLine({ strategy, rate, elapsedMs, durationMs }: ShopState): Line {
  const left = `A small shop · ${strategy} · ${rate} calls/s`;
  const right = `${(elapsedMs / 1_000).toFixed(1)} of ${(durationMs / 1_000).toFixed(0)} s`;
  return [
    { text: left, style: 'bold' },
    { text: right.padStart(tableWidth - left.length), style: 'dim' },
  ];
}

function callsLine({ calls }: ShopState): Line {
  const { made, failed, retries, inFlight, p50, p99 } = calls;
  return [
    { text: `${count(made)} calls   ` },
    { text: `${failed} failed`, style: failed === 0 ? 'green' : 'red' },
    {
      text: `   ${retries} retried   p50 ${milliseconds(p50)} ms   p99 ${milliseconds(p99)} ms   ${inFlight} in flight`,
    },
  ];
}

interface Column {
  readonly title: string;
  /** Numbers are on the right. */
  readonly width: number;
  readonly align: 'left' | 'right';
}

const layout = {
  service: { title: 'service', width: 10, align: 'left' },
  instance: { title: 'instance', width: 12, align: 'left' },
  version: { title: 'version', width: 9, align: 'left' },
  status: { title: 'status', width: 15, align: 'left' },
  rate: { title: 'req/s', width: 6, align: 'right' },
  p50: { title: 'p50 ms', width: 8, align: 'right' },
  p99: { title: 'p99 ms', width: 8, align: 'right' },
  inFlight: { title: 'in flight', width: 11, align: 'right' },
} as const satisfies Record<string, Column>;

const tableWidth = Object.values(layout).reduce((sum, { width }) => sum + width, 0);

const headerLine: Line = Object.values(layout).map((column) => cell(column, column.title, 'bold'));

function instanceLines({ instances }: ShopState): readonly Line[] {
  return instances.map((instance, index) => {
    const sameService = instances[index - 1]?.service === instance.service;
    return instanceLine(instance, sameService ? '' : instance.service);
  });
}

function instanceLine(instance: InstanceState, service: string): Line {
  const { id, version, status, fate, inFlight } = instance;
  const style = status === undefined ? 'dim' : undefined;
  const numbers: readonly [Column, string][] = [
    [layout.rate, instance.perSecond.toFixed(0)],
    [layout.p50, milliseconds(instance.p50)],
    [layout.p99, milliseconds(instance.p99)],
    [layout.inFlight, String(inFlight)],
  ];
  return [
    cell(layout.service, service),
    cell(layout.instance, id, style),
    cell(layout.version, version, style),
    cell(layout.status, statusText(instance), fateStyle[fate] ?? (status === 'healthy' ? 'green' : style)),
    ...numbers.map(([column, text]) => cell(column, text, style)),
  ];
}

/** What the registry says, and what really happened where that says something else. */
function statusText({ status, fate }: InstanceState): string {
  if (status === undefined) return fate === 'killed' || fate === 'drained' ? `gone, ${fate}` : 'gone';
  return fate === 'slowed' || fate === 'killed' ? `${status}, ${fate}` : status;
}

const fateStyle: Readonly<Partial<Record<InstanceState['fate'], Style>>> = {
  slowed: 'yellow',
  killed: 'red',
  draining: 'yellow',
  drained: 'dim',
};

function cell({ width, align }: Column, text: string, style?: Style): Span {
  return { text: (align === 'left' ? text.padEnd(width) : text.padStart(width)).slice(0, width), style };
}
