import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@sd/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrometheusServer, requireServer } from '../../../../tools/servers/index.ts';
import { instrument } from '../src/index.ts';
import { groupedBy, questions, selectorsOf, serviceChoice } from './dashboard.ts';
import { playScene } from './scene.ts';

const exporter = new PrometheusExporter({ preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [exporter] });
const endpoint = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
const cleanUps: (() => unknown)[] = [];
let play: () => Promise<void>;
let target: string;

beforeAll(async () => {
  const scene = await playScene();
  const instrumentation = instrument({ discovery: scene.clients, meterProvider, tracerProvider: false });
  endpoint.listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  target = `127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
  play = scene.call;
  cleanUps.push(
    () => instrumentation.stop(),
    () => meterProvider.shutdown(),
    () => scene.close(),
    () => endpoint.close().closeAllConnections(),
  );
  const theirs = meterProvider.getMeter('@opentelemetry/instrumentation-undici');
  theirs.createHistogram('http.client.request.duration').record(1, { 'http.response.status_code': 418 });
  await play();
});

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

/** The labels of each metric, as Prometheus would read them. */
async function exportedLabels(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const text = await (await fetch(`http://${target}/metrics`)).text();
  const metrics = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    const known = metrics.get(name) ?? new Set();
    metrics.set(name, known);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
  }
  return metrics;
}

describe('the dashboard', () => {
  it('asks only for metrics that are exported, with labels that they have', async () => {
    const exported = await exportedLabels();
    const problems: string[] = [];
    const check = (panel: string, name: RegExp, labels: readonly string[]): void => {
      const [found, ...more] = [...exported.keys()].filter((each) => name.test(each));
      if (found === undefined || more.length > 0) return void problems.push(`${panel}: ${name}`);
      for (const label of labels) {
        if (exported.get(found)?.has(label) !== true) problems.push(`${panel}: ${found} has no ${label}`);
      }
    };
    for (const question of questions) {
      const selectors = selectorsOf(question.expression);
      expect(selectors, question.panel).not.toEqual([]);
      for (const { name, labels } of selectors)
        check(question.panel, name, [...labels, ...groupedBy(question)]);
    }
    const [metric, label = 'none'] = serviceChoice();
    check('the choice of services', new RegExp(`^${metric}$`), [label]);
    expect(problems).toEqual([]);
  });

  it('shows each metric that is exported', async () => {
    const names = questions.flatMap(({ expression }) => selectorsOf(expression).map(({ name }) => name));
    const shown = (metric: string): boolean =>
      names.some((name) => ['', '_count', '_bucket'].some((suffix) => name.test(metric + suffix)));
    const exported = [...(await exportedLabels()).keys()]
      .filter((name) => /^(sd|http)_/.test(name))
      .map((name) => name.replace(/_(count|sum|bucket)$/, ''));
    expect([...new Set(exported)].filter((metric) => !shown(metric))).toEqual([]);
  });
});

describe.skipIf(!requireServer('prometheus'))('Prometheus', () => {
  let prometheus: PrometheusServer;

  beforeAll(async () => {
    prometheus = await PrometheusServer.start(target);
  }, 30_000);
  afterAll(() => prometheus.stop());

  it('has the series of calls, failures and retries', { timeout: 30_000 }, async () => {
    const value = async (expression: string): Promise<number> =>
      (await prometheus.query(expression))[0]?.value ?? Number.NaN;
    await play();
    await eventually(
      async () => {
        expect(await value('sum(sd_client_call_duration_count{sd_service="orders"})')).toBeGreaterThanOrEqual(
          20,
        );
        expect(
          await value('sum(sd_client_attempts_total{sd_attempt_outcome="connect-failure"})'),
        ).toBeGreaterThan(0);
        expect(await value('sum(sd_client_retries_total{sd_granted="true"})')).toBeGreaterThan(0);
        expect(
          await value('sum(http_client_request_duration_count{http_response_status_code="503"})'),
        ).toBeGreaterThan(0);
        expect(await value('sum(sd_client_endpoints{sd_service="orders"})')).toBe(3);
        expect(await value('sd_client_snapshot_age{sd_service="users"}')).toBeGreaterThan(0);
      },
      { timeoutMs: 15_000 },
    );
  });

  it('shows the dashboard nothing that other instrumentations measure under the same name', async () => {
    const statuses = async (expression: string) =>
      (await prometheus.query(expression)).map(({ labels }) => labels['http_response_status_code']);
    const all = 'rate(http_client_request_duration_count[5s])';
    await eventually(async () => expect(await statuses(all)).toContain('418'), { timeoutMs: 15_000 });
    for (const { expression } of questions) expect(await statuses(expression)).not.toContain('418');
  });

  it.each(questions)('has an answer for $panel', { timeout: 30_000 }, async ({ expression }) => {
    await eventually(
      async () => {
        await play();
        const series = await prometheus.query(expression);
        expect(series.filter(({ value }) => Number.isFinite(value))).not.toEqual([]);
      },
      { timeoutMs: 15_000 },
    );
  });
});
