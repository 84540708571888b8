import { context, createNoopMeter, trace as api } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ConfigValidationError, resetLogger, setLogger } from '@sd/core';
import { telemetry } from '@sd/discovery';
import { silentLogger } from '@sd/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AlreadyInstrumentedError, instrument } from '../src/index.ts';
import { measure, startClient, trace } from './fixture.ts';

describe('options that are wrong', () => {
  it.each([
    [{ discovery: {} }, 'discovery'],
    [{ discovery: [{}] }, 'discovery.0'],
    [{ meterProvider: {} }, 'meterProvider'],
    [{ tracerProvider: true }, 'tracerProvider'],
    [{ serverAddress: 'host' }, 'serverAddress'],
    [{ maxServices: 0 }, 'maxServices'],
    [{ maxServices: 1.5 }, 'maxServices'],
    [{ propagate: 'yes' }, 'propagate'],
    [{ metrics: true }, 'metrics'],
    [null, ''],
  ])('%j are refused, and leave the process as it was', (options, field) => {
    const given: unknown = options;
    expect(() => instrument(given as object)).toThrow(ConfigValidationError);
    expect(() => instrument(given as object)).toThrow(expect.objectContaining({ field }) as Error);
    expect(telemetry.call.hasSubscribers).toBe(false);
  });

  it('are refused later as well', () => {
    const { instrumentation } = measure();
    const given: unknown = {};
    expect(() => instrumentation.observe(given as never)).toThrow('a DiscoveryClient');
  });
});

describe('a second instrumentation', () => {
  it('is refused until the first is stopped', () => {
    const { instrumentation } = measure();
    expect(() => instrument()).toThrow(AlreadyInstrumentedError);
    instrumentation.stop();
    instrument()[Symbol.dispose]();
    instrumentation.stop();
    expect(telemetry.pick.hasSubscribers).toBe(false);
  });

  it('may follow one that could not be made', () => {
    const getTracer = (): never => {
      throw new Error('no tracers today');
    };
    expect(() => instrument({ tracerProvider: { getTracer } })).toThrow('no tracers today');
    expect(telemetry.call.hasSubscribers).toBe(false);
    instrument().stop();
  });
});

it('does nothing that shows where no SDK is set up', async () => {
  const instrumentation = instrument();
  onTestFinished(() => instrumentation.stop());
  const { client, publish } = startClient();
  await publish('orders', 1);
  expect(await client.call('orders', () => 'ok', { method: 'GET' })).toBe('ok');
});

describe('a failure of OpenTelemetry', () => {
  const bug = (): never => {
    throw new Error('a bug of the SDK');
  };

  it('breaks no call, and is reported once', async () => {
    const reports: string[] = [];
    setLogger({ ...silentLogger, error: (message) => void reports.push(message) });
    onTestFinished(resetLogger);
    const meter = Object.assign(createNoopMeter(), { createHistogram: () => ({ record: bug }) });
    const tracer = { startSpan: bug, startActiveSpan: bug };
    const instrumentation = instrument({
      meterProvider: { getMeter: () => meter },
      tracerProvider: { getTracer: () => tracer },
    });
    onTestFinished(() => instrumentation.stop());
    const { client, publish } = startClient();
    await publish('orders', 1);

    for (let time = 0; time < 3; time += 1) {
      expect(await client.call('orders', () => time, { method: 'GET' })).toBe(time);
    }

    expect(reports.sort()).toEqual([
      'Telemetry of tracing:sd:attempt:asyncEnd failed; it is incomplete from here on',
      'Telemetry of tracing:sd:attempt:start failed; it is incomplete from here on',
      'Telemetry of tracing:sd:call:asyncEnd failed; it is incomplete from here on',
      'Telemetry of tracing:sd:call:start failed; it is incomplete from here on',
    ]);
  });

  it('in a context manager breaks no call either, and the error of the work stays its own', async () => {
    setLogger(silentLogger);
    onTestFinished(resetLogger);
    trace();
    context.disable();
    context.setGlobalContextManager(Object.assign(new AsyncLocalStorageContextManager(), { with: bug }));
    const { client, publish } = startClient();
    await publish('orders', 1);

    expect(await client.call('orders', () => api.getActiveSpan())).toBeUndefined();
    const failing = client.call('orders', () => {
      throw new Error('a bug of theirs');
    });
    await expect(failing).rejects.toThrow('a bug of theirs');
  });
});
