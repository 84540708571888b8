import { validate } from '@sd/core';
import {
  telemetry,
  type AttemptTrace,
  type CallTrace,
  type DiscoveryClient,
  type TelemetryChannel,
} from '@sd/discovery';
import { metrics, trace, type MeterProvider, type TracerProvider } from '@opentelemetry/api';
import { Counters } from './counters.ts';
import { Durations } from './durations.ts';
import { AlreadyInstrumentedError } from './errors.ts';
import { Gauges } from './gauges.ts';
import { Guard } from './guard.ts';
import { instrumentOptionsSchema } from './options.ts';
import { ServiceNames } from './service-names.ts';
import { Spans } from './spans.ts';

export interface InstrumentOptions {
  /** Whose services the gauges tell of. Metrics of calls and spans are of all clients in any case. Default: none. */
  readonly discovery?: readonly DiscoveryClient[] | undefined;
  /** Where metrics go; `false`: nowhere. Default: the global one, which must be set before. */
  readonly meterProvider?: MeterProvider | false | undefined;
  /** Where spans go; `false`: nowhere. Default: the global one. */
  readonly tracerProvider?: TracerProvider | false | undefined;
  /**
   * What `server.address` of `http.client.request.duration` is: the name of the `service`, or the host of the `instance`,
   * with its `server.port`: then each instance that ever was has series of its own. Default: `service`.
   */
  readonly serverAddress?: 'service' | 'instance' | undefined;
  /** Services beyond so many are counted together, as `_other`. Default: 200. */
  readonly maxServices?: number | undefined;
  /** Whether requests carry the context of their span, as the global propagator writes it. Default: true. */
  readonly propagate?: boolean | undefined;
}

/** Metrics and spans, until it is stopped. */
export interface Instrumentation extends Disposable {
  /** The gauges tell of the services of this client as well. */
  observe(client: DiscoveryClient): () => void;
  /** From now on nothing is measured; spans of calls under way end here. Idempotent. */
  stop(): void;
}

let current: Instrumentation | undefined;

/**
 * Makes OpenTelemetry metrics and spans of what `@sd/*` does in this process.
 * @throws {ConfigValidationError} naming each wrong option
 * @throws {AlreadyInstrumentedError} until the one before is stopped
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  validate('instrument()', instrumentOptionsSchema, options);
  if (current !== undefined) throw new AlreadyInstrumentedError();
  const made = new Subscriptions(options);
  current = made;
  return made;
}

/** The name and version of the scope stand in each series, and a version would end them all with an update. */
const scope = '@sd/opentelemetry';

class Subscriptions implements Instrumentation {
  readonly #guard = new Guard();
  readonly #ends: (() => void)[] = [];
  readonly #clients: Set<DiscoveryClient>;

  constructor({ discovery = [], meterProvider, tracerProvider, ...options }: InstrumentOptions) {
    this.#clients = new Set(discovery);
    try {
      if (meterProvider !== false) this.#measure(meterProvider ?? metrics.getMeterProvider(), options);
      if (tracerProvider !== false) this.#trace(tracerProvider ?? trace.getTracerProvider(), options);
    } catch (error) {
      this.stop(); // not half of it
      throw error;
    }
  }

  observe(client: DiscoveryClient): () => void {
    validate('Instrumentation.observe', instrumentOptionsSchema, { discovery: [client] });
    this.#clients.add(client);
    return () => this.#clients.delete(client);
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    if (current === this) current = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #measure(
    provider: MeterProvider,
    { maxServices = 200, serverAddress = 'service' }: InstrumentOptions,
  ): void {
    const meter = provider.getMeter(scope);
    const names = new ServiceNames(maxServices);
    const counters = new Counters(meter, names);
    const durations = new Durations(meter, names, serverAddress);
    const gauges = new Gauges(meter, names, this.#clients);
    this.#ends.push(
      () => counters.close(),
      () => gauges.close(),
    );
    this.#on(carrying<CallTrace>(telemetry.call.asyncEnd), (call) => durations.called(call));
    this.#on(carrying<AttemptTrace>(telemetry.attempt.asyncEnd), (attempt) => {
      counters.attempted(attempt);
      durations.attempted(attempt);
    });
    this.#on(telemetry.pick, (pick) => counters.picked(pick));
    this.#on(telemetry.eject, (ejection) => counters.ejected(ejection));
    this.#on(telemetry.retry, (retry) => counters.retried(retry));
    this.#on(telemetry.hedge, (hedge) => counters.hedged(hedge));
    this.#on(telemetry.reconnect, (reconnect) => counters.reconnected(reconnect));
  }

  #trace(provider: TracerProvider, { propagate = true }: InstrumentOptions): void {
    const spans = new Spans(provider.getTracer(scope), propagate, this.#guard);
    this.#on(carrying<CallTrace>(telemetry.call.start), (call) => spans.callStarts(call));
    this.#on(carrying<CallTrace>(telemetry.call.asyncEnd), (call) => spans.callEnds(call));
    this.#on(carrying<AttemptTrace>(telemetry.attempt.start), (attempt) => spans.attemptStarts(attempt));
    this.#on(carrying<AttemptTrace>(telemetry.attempt.asyncEnd), (attempt) => spans.attemptEnds(attempt));
    this.#ends.push(() => this.#guard.run('open spans', () => spans.close()));
  }

  #on<Message>(channel: TelemetryChannel<Message>, listener: (message: Message) => void): void {
    const guarded = this.#guard.listener(String(channel.name), listener);
    channel.subscribe(guarded);
    this.#ends.push(() => channel.unsubscribe(guarded));
  }
}

function carrying<Message>(channel: unknown): TelemetryChannel<Message> {
  return channel as TelemetryChannel<Message>; // Node does not know what its tracing channels carry
}
