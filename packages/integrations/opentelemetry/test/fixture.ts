import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';
import { createInstance, ManualClock, seededRng, type ServiceInstanceInit } from '@sd/core';
import { DiscoveryClient, type DiscoveryClientOptions } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { silentLogger } from '@sd/testkit';
import { onTestFinished } from 'vitest';
import { instrument, type InstrumentOptions } from '../src/index.ts';

/** A client on a memory backend whose time moves only when told to. */
export function startClient(options: Partial<DiscoveryClientOptions> = {}) {
  const clock = new ManualClock();
  const backend = new MemoryBackend({ store: new MemoryStore({ clock }) });
  const client = new DiscoveryClient({ backend, clock, rng: seededRng(1), logger: silentLogger, ...options });
  onTestFinished(async () => {
    await client.close();
    await backend.close();
  });
  return {
    client,
    backend,
    clock,
    publish: (service: string, port: number, init: Partial<ServiceInstanceInit> = {}) =>
      backend.register(createInstance({ service, host: '10.0.0.1', port, ...init }, clock.now()), {
        ttl: 1e9,
      }),
  };
}

/** A series as it would be exported. */
export interface Series {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram: how many, and their sum. */
  readonly value: number | { readonly count: number; readonly sum: number };
}

/** Metrics into memory, without spans. */
export function measure(options: InstrumentOptions = {}) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e8 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const instrumentation = instrument({ meterProvider, tracerProvider: false, ...options });
  onTestFinished(() => {
    instrumentation.stop();
    return meterProvider.shutdown();
  });

  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  };
  /** What a metric shows now; empty if there is none. */
  const read = async (name: string): Promise<readonly Series[]> => {
    const found = (await collect()).find(({ descriptor }) => descriptor.name === name);
    return (found?.dataPoints ?? []).map(({ attributes, value }) => ({
      attributes,
      value: typeof value === 'number' ? value : { count: value.count, sum: value.sum ?? 0 },
    }));
  };
  return { instrumentation, collect, read };
}

/** Spans into memory, without metrics, in a process that carries contexts and writes `traceparent`. */
export function trace({ sampler, ...options }: InstrumentOptions & { readonly sampler?: Sampler } = {}) {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler === undefined ? {} : { sampler }),
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const instrumentation = instrument({ tracerProvider, meterProvider: false, ...options });
  onTestFinished(() => {
    instrumentation.stop();
    context.disable();
    propagation.disable();
    return tracerProvider.shutdown();
  });
  return {
    instrumentation,
    tracer: tracerProvider.getTracer('test'),
    /** Those that have ended, in that order. */
    spans: () => exporter.getFinishedSpans(),
  };
}

export function failWith(code: string): never {
  throw Object.assign(new Error(`connect ${code} 10.0.0.1:1`), { code });
}
