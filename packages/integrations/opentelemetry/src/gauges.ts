import type { BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { DiscoveryClient, ServiceStatus } from '@sd/discovery';
import { attribute } from './attribute-names.ts';
import { endpointStates, stateOfEndpoint, type EndpointState } from './endpoint-state.ts';
import type { ServiceNames } from './service-names.ts';

const breakerStates = ['closed', 'open', 'half-open', 'isolated'] as const;
const viewStates = ['connecting', 'live', 'stale'] as const;

/** What is known of one service, by all clients together. */
interface Row {
  readonly endpoints: Map<EndpointState, number>;
  readonly breakers: Map<ServiceStatus['breaker'], number>;
  readonly views: Map<ServiceStatus['view']['state'], number>;
  retriesLeft: number;
  outOfSyncMs: number;
}

/** How things are, read when metrics are collected. Each state is told of, those that nobody is in as well. */
export class Gauges {
  readonly #names: ServiceNames;
  readonly #clients: ReadonlySet<DiscoveryClient>;
  readonly #stop: () => void;

  /** @param clients may be added to */
  constructor(meter: Meter, names: ServiceNames, clients: ReadonlySet<DiscoveryClient>) {
    this.#names = names;
    this.#clients = clients;
    const gauge = (name: string, description: string, unit: string): Observable =>
      meter.createObservableGauge(name, { description, unit });
    const endpoints = gauge('sd.client.endpoints', 'Endpoints, each in one state', '{endpoint}');
    const breakers = gauge('sd.client.breaker.state', 'Circuit breakers in this state', '{breaker}');
    const views = gauge('sd.client.view.state', 'Views of the service in this state', '{view}');
    const budget = gauge('sd.client.retry_budget', 'Retries that the budget would grant now', '{retry}');
    const age = gauge('sd.client.snapshot.age', 'Since the view was last in sync with the store', 's');

    const observe = (result: BatchObservableResult): void => {
      for (const [service, row] of this.#read()) {
        const by = { [attribute.service]: service };
        for (const state of endpointStates) {
          const labels = { ...by, [attribute.endpointState]: state };
          result.observe(endpoints, row.endpoints.get(state) ?? 0, labels);
        }
        for (const state of breakerStates) {
          const labels = { ...by, [attribute.breakerState]: state };
          result.observe(breakers, row.breakers.get(state) ?? 0, labels);
        }
        for (const state of viewStates) {
          const labels = { ...by, [attribute.viewState]: state };
          result.observe(views, row.views.get(state) ?? 0, labels);
        }
        result.observe(budget, row.retriesLeft, by);
        result.observe(age, row.outOfSyncMs / 1_000, by);
      }
    };
    const all = [endpoints, breakers, views, budget, age];
    meter.addBatchObservableCallback(observe, all);
    this.#stop = () => meter.removeBatchObservableCallback(observe, all);
  }

  close(): void {
    this.#stop();
  }

  #read(): ReadonlyMap<string, Row> {
    const rows = new Map<string, Row>();
    for (const client of this.#clients) {
      for (const status of client.inUse()) {
        const name = this.#names.of(status.service);
        const row = rows.get(name) ?? emptyRow();
        rows.set(name, row);
        for (const endpoint of client.endpoints(status.service) ?? []) {
          count(row.endpoints, stateOfEndpoint(endpoint));
        }
        count(row.breakers, status.breaker);
        count(row.views, status.view.state);
        row.retriesLeft += status.retriesLeft;
        row.outOfSyncMs = Math.max(row.outOfSyncMs, status.outOfSyncMs);
      }
    }
    return rows;
  }
}

const emptyRow = (): Row => ({
  endpoints: new Map(),
  breakers: new Map(),
  views: new Map(),
  retriesLeft: 0,
  outOfSyncMs: 0,
});

function count<State>(counts: Map<State, number>, state: State): void {
  counts.set(state, (counts.get(state) ?? 0) + 1);
}
