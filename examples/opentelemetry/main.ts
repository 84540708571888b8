import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { DiscoveryClient, ServiceClient, ServiceRegistry } from '@sd/client';
import { MemoryBackend } from '@sd/memory';
import { instrument } from '@sd/opentelemetry';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

// In your program `NodeSDK` of @opentelemetry/sdk-node sets all this up, with exporters of your choice.
const finished = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(finished)] });
const prometheus = new PrometheusExporter({ host: '127.0.0.1', preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [prometheus] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

// Two instances: one answers, with the trace that it is asked in; the other is out of order.
const backend = new MemoryBackend();
const registry = new ServiceRegistry({ backend });
const listeners: RequestListener[] = [
  ({ headers }, response) => response.end(headers.traceparent),
  (_, response) => response.writeHead(503).end(),
];
for (const listener of listeners) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await registry.register({ service: 'orders', server });
}

const discovery = new DiscoveryClient({ backend });
const instrumentation = instrument({ discovery: [discovery], meterProvider, tracerProvider });
const orders = new ServiceClient({ service: 'orders', discovery });

let sent = '';
for (let call = 0; call < 2; call += 1) sent = await orders.get('/').text();

const spans = finished.getFinishedSpans();
const last = spans.findLast(({ name }) => name === 'GET');
console.log(sent === `00-${last?.spanContext().traceId}-${last?.spanContext().spanId}-01`); // prints: true
for (const { name, attributes } of spans) {
  console.log(name, attributes['http.response.status_code'] ?? '', attributes['error.type'] ?? 'well');
}
// prints: GET 200 well
// prints: GET 503 503
// prints: call orders  well

// What Prometheus reads: by default at http://localhost:9464/metrics, here at a port that is free.
const metrics = createServer((request, response) => prometheus.getMetricsRequestHandler(request, response));
await once(metrics.listen(0, '127.0.0.1'), 'listening');
const address = metrics.address();
const port = typeof address === 'object' ? address?.port : undefined;
const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
console.log(
  text
    .split('\n')
    .filter((line) => line.startsWith('sd_client_attempts_total'))
    .join('\n'),
);
// prints: sd_attempt_kind="retry",sd_attempt_outcome="ok"

await registry.drain({ propagationMs: 0 });
await orders.close();
await discovery.close();
instrumentation.stop();
await meterProvider.shutdown();
await tracerProvider.shutdown();
metrics.close();
metrics.closeAllConnections();
await registry.close();
await backend.close();
