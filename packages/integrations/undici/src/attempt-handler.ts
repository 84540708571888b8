import { HttpStatusError, isServerFailure, mayBeRepeated, ServiceResponse } from '@sd/client';
import { outrun, type OpenAttempt } from '@sd/discovery';
import type { Duplex } from 'node:stream';
import { util } from 'undici';
import { arrive, type Arrival } from './arrivals.ts';
import { LongAnswerError } from './errors.ts';
import type { PromptClient } from './prompt-client.ts';
import type { RequestHandler } from './request-handler.ts';
import type { ServiceRequest } from './service-request.ts';

/** Of an answer that is no good, as much is kept as pages of errors have: 64 KiB. */
const mostKept = 65_536;

/** An answer of up to so many bytes comes in a few packets, and is handed on when all are there: 16 KiB. */
const mostHeld = 16_384;

/** For an answer that came second, in milliseconds. */
const dropMs = 1_000;

/**
 * What undici tells of one attempt. The first good answer goes to the caller as it comes; a short one when it has come
 * whole, if another endpoint may be asked where it breaks off. One that is no good is kept where another endpoint may have
 * a better one, and goes to the caller when that is known not to be so.
 */
export class AttemptHandler implements RequestHandler, Arrival {
  filled: PromptClient | undefined;
  /** Of an answer that is no good. */
  error: HttpStatusError | undefined;
  /** Of the attempt before it of the same request. */
  readonly earlier: AttemptHandler | undefined;
  readonly #request: ServiceRequest;
  readonly #attempt: OpenAttempt;
  #abort: ((reason?: Error) => void) | undefined;
  #abortReason: Error | undefined;
  #isAnswering = false;
  /** Of the answer that is kept or held; 0: none is. */
  #status = 0;
  #rawHeaders: Buffer[] = noChunks;
  #statusText = '';
  #resume: () => void = ignore;
  /** Most answers are one chunk. */
  #first: Buffer | undefined;
  #others: Buffer[] = noChunks;
  #trailers: string[] | null = null;
  #isComplete = false;
  #keptBytes = 0;
  /** While an answer that came second is read to its end. */
  #dropping: NodeJS.Timeout | undefined;
  #isAccepting = true;

  constructor(request: ServiceRequest, attempt: OpenAttempt, earlier: AttemptHandler | undefined) {
    this.earlier = earlier;
    this.#request = request;
    this.#attempt = attempt;
  }

  /**
   * The engine wants no more of it. One that was just slower than another is given a moment to end by itself: to break it
   * off is to break its connection. Others are aborted a moment later, each by itself: many that time out together are
   * stopped one upon another, and where these are uploads over HTTP/2, Node 20 writes for ever then.
   */
  stop(reason: unknown): void {
    if (reason !== outrun) {
      setImmediate(() => this.abort(reason));
      return;
    }
    this.#dropping = setTimeout(() => this.abort(reason), dropMs).unref();
  }

  abort(reason: unknown): void {
    this.#abortReason = reason instanceof Error ? reason : new Error('aborted', { cause: reason });
    this.#abort?.(this.#abortReason);
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    if (this.#abortReason !== undefined) abort(this.#abortReason);
  }

  onResponseStarted(): void {
    if (this.#dropping === undefined) this.#request.handler.onResponseStarted?.();
  }

  onBodySent(chunkSize: number, totalBytesSent: number): void {
    this.#request.handler.onBodySent?.(chunkSize, totalBytesSent);
  }

  onRequestSent(): void {
    this.#request.handler.onRequestSent?.();
  }

  onUpgrade(status: number, rawHeaders: Buffer[] | string[] | null, socket: Duplex): void {
    this.#attempt.status = status;
    if (this.#dropping !== undefined || !this.#answer()) {
      socket.destroy();
      return;
    }
    socket.once('close', () => this.#attempt.end());
    this.#request.end();
    this.#request.handler.onUpgrade?.(status, rawHeaders, socket);
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#dropping !== undefined) return true;
    const { handler, isRepeatable } = this.#request;
    if (status < 200) return handler.onHeaders?.(status, rawHeaders, resume, statusText) ?? true;
    this.#attempt.status = status;
    const isGood = !isServerFailure(status);
    if (isGood && !(isRepeatable && lengthOf(rawHeaders) <= mostHeld)) {
      return this.#answer() && (handler.onHeaders?.(status, rawHeaders, resume, statusText) ?? true);
    }
    this.#status = status;
    this.#rawHeaders = rawHeaders;
    this.#resume = resume;
    this.#statusText = statusText;
    if (isGood || (isRepeatable && mayBeRepeated(status))) return true;
    this.#fail(HttpStatusError);
    return this.#isAccepting;
  }

  onData(chunk: Buffer): boolean {
    if (this.#isAnswering) return this.#request.handler.onData?.(chunk) ?? true;
    if (this.#dropping !== undefined) {
      this.#keptBytes += chunk.length;
      if (this.#keptBytes > mostKept) this.abort(outrun);
      return true;
    }
    if (this.#status === 0) return false;
    if (this.#first === undefined) this.#first = chunk;
    else if (this.#others === noChunks) this.#others = [chunk];
    else this.#others.push(chunk);
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > mostKept) this.#fail(LongAnswerError);
    return this.#isAccepting;
  }

  onComplete(trailers: string[] | null): void {
    this.#trailers = trailers;
    arrive(this);
  }

  handOn(): void {
    this.#isComplete = true;
    if (this.#isAnswering) this.#end();
    else if (this.#dropping !== undefined) clearTimeout(this.#dropping);
    else if (isServerFailure(this.#status)) this.#fail(HttpStatusError);
    else if (this.#status !== 0 && this.#attempt.answer()) this.forward();
  }

  onError(error: Error): void {
    clearTimeout(this.#dropping);
    if (this.#isAnswering) {
      // Who aborted it has had enough of a good answer.
      this.#attempt.end(error === this.#abortReason ? undefined : error);
      this.#request.end();
      this.#request.handler.onError?.(error);
    } else if (!this.#request.isFailureOfBody(error)) this.#attempt.fail(error);
  }

  /** The caller gets what is kept, and what is still to come. */
  forward(): void {
    const { handler } = this.#request;
    if (this.#status === 0) return;
    this.#isAnswering = true;
    this.#request.answeredBy(this);
    try {
      const resume = this.#isComplete ? ignore : this.#resume;
      this.#isAccepting =
        handler.onHeaders?.(this.#status, this.#rawHeaders, resume, this.#statusText) ?? true;
      if (this.#first !== undefined) this.#forward(this.#first);
      for (const chunk of this.#others) this.#forward(chunk);
    } catch (error) {
      this.#failCaller(error);
      return;
    }
    if (this.#isComplete) this.#end();
  }

  #forward(chunk: Buffer): void {
    if (this.#abortReason === undefined) this.#isAccepting = this.#request.handler.onData?.(chunk) ?? true;
  }

  /** Hot path. */
  #answer(): boolean {
    if (!this.#attempt.answer()) return false; // another was faster
    this.#isAnswering = true;
    this.#request.answeredBy(this);
    return true;
  }

  /** Hot path. The caller has its answer. */
  #end(): void {
    if (this.#abortReason !== undefined) {
      this.onError(this.#abortReason); // undici says nothing of a request that it has done with
      return;
    }
    this.#attempt.end();
    this.#request.end();
    try {
      this.#request.handler.onComplete?.(this.#trailers);
    } catch (error) {
      this.#failCaller(error);
    }
  }

  /** Its handler has thrown. */
  #failCaller(error: unknown): void {
    this.onError(error instanceof Error ? error : new Error('The handler failed', { cause: error }));
  }

  /** Another endpoint is asked, or `forward` is called. */
  #fail(Failure: typeof HttpStatusError): void {
    const { method, path } = this.#request.options;
    const { instance, number: attempts } = this.#attempt;
    const headers = util.parseHeaders(this.#rawHeaders);
    const body = Buffer.concat(this.#first === undefined ? noChunks : [this.#first, ...this.#others]);
    const response = new ServiceResponse({ status: this.#status, headers, body, instance, attempts });
    this.error = new Failure(method, path, response);
    this.#attempt.fail(this.error);
  }
}

const ignore = (): void => undefined;

/** Shared: the first chunk to go there goes into an array of its own. */
const noChunks: Buffer[] = [];

/** What an answer says of its body, in bytes; Infinity where it does not say, or says more than five digits. */
function lengthOf(rawHeaders: readonly Buffer[]): number {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (isContentLength(rawHeaders[index])) return numberIn(rawHeaders[index + 1]);
  }
  return Infinity;
}

// By bytes, as making a string of them is a call out of JavaScript.
const contentLength = Buffer.from('content-length');

function isContentLength(name: Buffer | undefined): boolean {
  if (name?.length !== contentLength.length) return false;
  for (let index = 0; index < name.length; index += 1) {
    if (((name[index] ?? 0) | 0x20) !== contentLength[index]) return false;
  }
  return true;
}

function numberIn(digits: Buffer | undefined): number {
  if (digits === undefined || digits.length === 0 || digits.length > 5) return Infinity;
  let value = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = (digits[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) return Infinity;
    value = 10 * value + digit;
  }
  return value;
}
