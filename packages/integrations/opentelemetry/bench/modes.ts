import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';
import type { DiscoveryClient } from '@sd/discovery';
import { instrument } from '@sd/opentelemetry';

/** What is set up in a process before its calls are measured; the first is what the others are compared with. */
export const modes = {
  'no subscriber': () => undefined,
  'no subscriber, contexts carried': carryContexts,
  metrics: (client) => instrument({ discovery: [client], meterProvider: meters(), tracerProvider: false }),
  'metrics, spans not sampled': (client) => traced(client, new AlwaysOffSampler()),
  'metrics, spans sampled': (client) => traced(client, new AlwaysOnSampler()),
} satisfies Record<string, (client: DiscoveryClient) => unknown>;

const meters = () => new MeterProvider({ readers: [new PrometheusExporter({ preventServerStart: true })] });

/** Spans are made and not exported: that costs what the exporter costs. */
function traced(client: DiscoveryClient, sampler: Sampler): void {
  carryContexts();
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracerProvider = new BasicTracerProvider({ sampler });
  instrument({ discovery: [client], meterProvider: meters(), tracerProvider });
}

/** As in a server that is traced: from the first context on, each promise of the process costs more. */
function carryContexts(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  context.with(ROOT_CONTEXT, () => undefined);
}
