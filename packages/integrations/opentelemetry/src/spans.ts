import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import type { AttemptTrace, CallTrace } from '@sd/discovery';
import { attribute } from './attribute-names.ts';
import { errorTypeOfCall } from './call-error.ts';
import type { Guard } from './guard.ts';
import { boundedMethod, errorTypeOf, statusOf } from './http.ts';

interface CallSpan {
  readonly span: Span;
  readonly context: Context;
  /** Of its last attempt so far. */
  last: SpanContext | undefined;
}

/** A span for each call, and in it one for each attempt. */
export class Spans {
  readonly #tracer: Tracer;
  readonly #propagate: boolean;
  readonly #guard: Guard;
  readonly #calls = new Map<CallTrace, CallSpan>();
  readonly #attempts = new Map<AttemptTrace, Span>();

  constructor(tracer: Tracer, propagate: boolean, guard: Guard) {
    this.#tracer = tracer;
    this.#propagate = propagate;
    this.#guard = guard;
  }

  callStarts(call: CallTrace): void {
    const around = context.active();
    const { service, method } = call;
    const attributes: Attributes = { [attribute.service]: service };
    if (method !== undefined) attributes[attribute.method] = boundedMethod(method);
    const span = this.#tracer.startSpan(`call ${service}`, { kind: SpanKind.INTERNAL, attributes }, around);
    this.#calls.set(call, { span, context: trace.setSpan(around, span), last: undefined });
  }

  callEnds(call: CallTrace): void {
    const { span } = this.#calls.get(call) ?? {};
    if (span === undefined) return;
    this.#calls.delete(call);
    if (span.isRecording()) {
      const { error, attempts } = call;
      span.setAttribute(attribute.attempts, attempts.length);
      const errorType = errorTypeOfCall(call);
      if (errorType !== undefined) {
        span.setAttribute(attribute.errorType, errorType);
        if (errorType !== 'cancelled') fail(span, error);
      }
    }
    span.end();
  }

  /** Its span is active while its work runs, and in the headers of the request. */
  attemptStarts(attempt: AttemptTrace): void {
    const call = attempt.call && this.#calls.get(attempt.call);
    // A retry begins where the attempt before has failed, and the span of that is not its parent.
    const around = call?.context ?? context.active();
    const { method } = attempt;
    const span = this.#tracer.startSpan(
      method === undefined ? `attempt ${attempt.service}` : boundedMethod(method, 'HTTP'),
      {
        kind: SpanKind.CLIENT,
        attributes: samplingAttributes(attempt),
        ...startOf(attempt),
        ...(call?.last === undefined ? {} : { links: [{ context: call.last }] }),
      },
      around,
    );
    if (span.isRecording()) describeAttempt(span, attempt);
    if (call !== undefined) call.last = span.spanContext();
    this.#attempts.set(attempt, span);
    const within = trace.setSpan(around, span);
    if (this.#propagate) {
      const headers = { ...attempt.headers };
      propagation.inject(within, headers);
      attempt.headers = headers;
    }
    attempt.around = (work) => this.#runIn(within, work);
  }

  #runIn(within: Context, work: () => void): void {
    const run = { isBegun: false };
    const begin = (): void => {
      run.isBegun = true;
      work();
    };
    this.#guard.run('an active span', () => context.with(within, begin));
    if (!run.isBegun) work(); // the context manager failed
  }

  attemptEnds(attempt: AttemptTrace): void {
    const span = this.#attempts.get(attempt);
    if (span === undefined) return;
    this.#attempts.delete(attempt);
    if (span.isRecording()) {
      const { outcome, error } = attempt;
      const status = statusOf(attempt);
      const errorType = errorTypeOf(attempt);
      if (outcome !== undefined) span.setAttribute(attribute.outcome, outcome);
      if (status !== undefined) span.setAttribute(attribute.status, status);
      if (errorType !== undefined) {
        span.setAttribute(attribute.errorType, errorType);
        // Whoever is cancelled has done nothing wrong; what a status says needs no words.
        if (outcome !== 'cancelled') fail(span, status === undefined ? error : undefined);
      }
    }
    span.end();
  }

  /** Ends the spans of what is under way. */
  close(): void {
    for (const span of this.#attempts.values()) span.end();
    for (const { span } of this.#calls.values()) span.end();
    this.#attempts.clear();
    this.#calls.clear();
  }
}

/** One that is told of at its end began before. */
function startOf({ durationMs = 0 }: AttemptTrace): { startTime?: number } {
  return durationMs > 0 ? { startTime: Date.now() - durationMs } : {};
}

/** Those that the conventions want a sampler to see. */
function samplingAttributes({ service, endpoint, method }: AttemptTrace): Attributes {
  const { host, port } = endpoint.instance;
  const attributes: Attributes = {
    [attribute.service]: service,
    [attribute.serverAddress]: host,
    [attribute.serverPort]: port,
  };
  if (method !== undefined) attributes[attribute.method] = boundedMethod(method);
  return attributes;
}

function describeAttempt(span: Span, { endpoint, reason, number, kind, method }: AttemptTrace): void {
  span.setAttribute(attribute.instance, endpoint.instance.id);
  span.setAttribute(attribute.kind, kind);
  span.setAttribute(attribute.reason, reason);
  if (method === undefined) return;
  if (boundedMethod(method) !== method) span.setAttribute(attribute.originalMethod, method);
  if (number > 1) span.setAttribute(attribute.resends, number - 1);
}

function fail(span: Span, error: unknown): void {
  if (error instanceof Error) {
    span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  } else span.setStatus({ code: SpanStatusCode.ERROR });
}
