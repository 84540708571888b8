import { readFileSync } from 'node:fs';

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: unknown; readonly allValue?: string }[] };
}

/** What a panel of the dashboard asks Prometheus for. */
export interface Question {
  readonly panel: string;
  /** With values in place of Grafana's variables. */
  readonly expression: string;
  readonly legend: string;
}

const dashboard = JSON.parse(
  readFileSync(new URL('../grafana/sd.json', import.meta.url), 'utf8'),
) as Dashboard;

/** What stands for all services, which is the default. */
const allServices = dashboard.templating.list.map(({ allValue }) => allValue).find(Boolean) ?? 'none';

export const questions: readonly Question[] = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat: legend }) => ({
    panel: title,
    expression: expr.replaceAll('$__rate_interval', '5s').replaceAll('$service', allServices),
    legend,
  })),
);

/** The names of metrics, as patterns, that an expression selects, with the labels that are asked of each. */
export function selectorsOf(
  expression: string,
): readonly { readonly name: RegExp; readonly labels: readonly string[] }[] {
  return Array.from(expression.matchAll(/([a-z_]+)?\{([^}]*)\}/g), ([, plain, matchers = '']) => {
    const labels = Array.from(matchers.matchAll(/(\w+)\s*[!=]?[=~]/g), ([, label = '']) => label);
    const pattern = /__name__=~"([^"]*)"/.exec(matchers)?.[1] ?? plain ?? 'none';
    return { name: new RegExp(`^(?:${pattern})$`), labels: labels.filter((label) => label !== '__name__') };
  });
}

/** The labels that an expression or its legend groups by. */
export function groupedBy({ expression, legend }: Question): readonly string[] {
  const inBy = Array.from(expression.matchAll(/\bby \(([^)]*)\)/g), ([, list = '']) =>
    list.split(', '),
  ).flat();
  const inLegend = Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, label = '']) => label);
  return [...new Set([...inBy, ...inLegend])];
}

/** What Grafana offers services from: the metric and the label. */
export function serviceChoice(): readonly string[] {
  const found = /label_values\((\w+), (\w+)\)/.exec(JSON.stringify(dashboard.templating));
  return found?.slice(1) ?? [];
}
