import { AsyncResource } from 'node:async_hooks';
import { addressOf } from '@sd/core';
import { UnknownServiceError, type CallHandler, type OpenAttempt, type PendingCall } from '@sd/discovery';
import { errors, type Dispatcher } from 'undici';
import { AttemptHandler } from './attempt-handler.ts';
import { InsecureInstanceError } from './errors.ts';
import { onceBody, type OnceBody } from './request-body.ts';
import type { RequestHandler } from './request-handler.ts';
import { requestHeaders } from './request-headers.ts';
import type { ServiceDispatcher } from './service-dispatcher.ts';

/** One request of the caller, which may be several to endpoints. What the caller hears is what one of them answers. */
export class ServiceRequest implements CallHandler {
  readonly handler: RequestHandler;
  options: Dispatcher.DispatchOptions;
  /** Whether it may be sent again after an answer that is no good. */
  isRepeatable = false;
  readonly #dispatcher: ServiceDispatcher;
  readonly #once: OnceBody | undefined;
  /** Of the latest attempt, which knows those before it. */
  #handler: AttemptHandler | undefined;
  #call: Pick<PendingCall<void>, 'cancel'> | undefined;
  /** Whose answer the caller gets. */
  #answering: AttemptHandler | undefined;
  #abortReason: Error | undefined;
  #isOver = false;
  #slot = 0;

  constructor(dispatcher: ServiceDispatcher, options: Dispatcher.DispatchOptions, handler: RequestHandler) {
    this.#dispatcher = dispatcher;
    this.#once = onceBody(options.body);
    this.options = options;
    this.handler = handler;
  }

  /** Handlers of undici itself have one. */
  get context(): AsyncResource | undefined {
    return this.handler instanceof AsyncResource ? this.handler : undefined;
  }

  /** @param slot for `ended` */
  start(slot: number): void {
    this.#slot = slot;
    const { service, settings } = this.#dispatcher;
    try {
      this.handler.onConnect?.(this.abort, null);
      if (this.#abortReason !== undefined) throw this.#abortReason;
      const rules = settings.rulesOf(this.options, this.#once !== undefined);
      this.isRepeatable = rules.idempotent;
      this.#call = settings.discovery.dispatch(service, this, rules, settings.keyOf(this.options));
    } catch (error) {
      this.failed(error);
    }
    if (this.#abortReason !== undefined) this.#call?.cancel(this.#abortReason); // while it began
  }

  readonly abort = (reason: Error = new errors.RequestAbortedError()): void => {
    if (this.#isOver) return;
    if (this.#answering !== undefined) this.#answering.abort(reason);
    else {
      this.#abortReason = reason;
      this.#call?.cancel(reason);
    }
  };

  /** From now on the caller hears what this one hears. */
  answeredBy(handler: AttemptHandler): void {
    this.#answering = handler;
  }

  /** The caller has heard everything. It may keep `abort` for long, which is not to keep all the rest. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call = undefined;
    this.#answering = undefined;
    this.#handler = undefined;
    this.options = noOptions;
    this.#dispatcher.ended(this.#slot);
  }

  /** Whether that is what reading the body failed with: then it is over, and no endpoint is to blame. */
  isFailureOfBody(error: Error): boolean {
    if (this.#once?.error === undefined || this.#once.error !== error) return false;
    this.abort(error);
    return true;
  }

  /** Hot path. */
  attempt(attempt: OpenAttempt): void {
    const { route, settings, isSecure, service } = this.#dispatcher;
    if (isSecure && attempt.instance.protocol === 'http') {
      throw new InsecureInstanceError({ service, endpoint: addressOf(attempt.instance) });
    }
    if (this.#once?.isBegun === true && attempt.number > 1) {
      throw new errors.InvalidArgumentError('The body was read, and cannot be sent once more');
    }
    const handler = new AttemptHandler(this, attempt, this.#handler);
    this.#handler = handler;
    attempt.onStop(handler);
    const { options } = this;
    const body = this.#once === undefined ? (options.body ?? null) : this.#once.body;
    const headers = requestHeaders(options.headers, attempt, settings.deadlineHeader) ?? null;
    route.send(attempt.endpoint, options, body, headers, handler);
  }

  failed(error: unknown): void {
    if (this.#isOver) return;
    let answering = this.#handler;
    while (answering !== undefined && answering.error !== error) answering = answering.earlier;
    if (answering === undefined)
      this.#fail(error instanceof Error ? error : new Error('aborted', { cause: error }));
    else answering.forward();
  }

  #fail(error: Error): void {
    this.end();
    if (error instanceof UnknownServiceError) this.#dispatcher.isUnknown(error);
    this.handler.onError?.(error);
  }
}

const noOptions: Dispatcher.DispatchOptions = Object.freeze({ path: '/', method: 'GET' });
