import { Metadata } from '@grpc/grpc-js';
import { abortable, AccessDeniedError, ClosedError, onAbort, sleep, type DiscoveryError } from '@sd/core';
import {
  KVClient,
  LeaseClient,
  WatchClient,
  type ICallable,
  type IDuplexStream,
  type ILeaseKeepAliveResponse,
  type IWatchRequest,
  type IWatchResponse,
} from 'etcd3';
import {
  etcdError,
  isLeaderless,
  isOfMember,
  isStaleToken,
  isUnreachable,
  type ErrorSource,
} from './etcd-errors.ts';
import { KeepAliveStream } from './keep-alive-stream.ts';
import type { Link, ServiceName } from './link.ts';
import { Links, shortestAttemptMs, type LinksOptions } from './links.ts';
import { Login } from './login.ts';

export interface ConnectionOptions extends Omit<LinksOptions, 'closed'> {
  readonly password?: string | undefined;
}

/** Whom a request is for. */
export interface RequestContext extends Pick<ErrorSource, 'right' | 'keys' | 'service'> {
  readonly signal?: AbortSignal | undefined;
}

export interface OpenWatch {
  readonly stream: IDuplexStream<IWatchRequest, IWatchResponse>;
  readonly link: Link;
}

/**
 * Requests over the link of the moment. Each has a deadline, and is tried anew within it where that can help: with a new
 * token, at another endpoint, or when etcd has a leader again. All that we ask may be asked twice.
 *
 * The pool of etcd3 takes an endpoint at random for each request, waits without a limit, asks for ever when a token is
 * refused, and keeps a connection open for each login. So its clients of the protocol stand on this instead.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #login: Login | undefined;
  readonly #closed = new AbortController();
  readonly #pending = new Set<(error: unknown) => void>();
  readonly #links: Links;
  #renewals: KeepAliveStream | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { username, password, clock } = options;
    this.#links = new Links({ ...options, closed: this.#closed.signal });
    if (username !== undefined && password !== undefined)
      this.#login = new Login({ username, password, clock });
  }

  get hasLogin(): boolean {
    return this.#login !== undefined;
  }

  kv(context: RequestContext): KVClient {
    return new KVClient(this.#callable(context));
  }

  lease(context: RequestContext): LeaseClient {
    return new LeaseClient(this.#callable(context));
  }

  keepAlive(id: string): Promise<ILeaseKeepAliveResponse> {
    return this.#request({}, async (link, { metadata, signal }) => {
      const renewals = await this.#renewalsOver(link, metadata);
      const startedAt = this.#options.clock.monotonic();
      const answer = await renewals.renew(id, signal);
      this.#links.answered(startedAt);
      return answer;
    });
  }

  watch(): Promise<OpenWatch> {
    return this.#request({}, async (link, { metadata }) => ({
      stream: await new WatchClient(callableOn(link, metadata)).watch(),
      link,
    }));
  }

  /** The next request asks for a new token. */
  renewToken(): void {
    this.#login?.forget();
  }

  /** What has become known of a link makes it useless. */
  drop(link: Link, reason: unknown): void {
    this.#links.drop(link, reason);
  }

  /** Any failure, as what it means to users. */
  typed(error: unknown, { right, keys, service }: RequestContext = {}): DiscoveryError {
    const reason: unknown = this.#closed.signal.reason;
    if (reason instanceof ClosedError) return reason;
    const { username, password } = this.#options;
    const secrets = password === undefined || password === '' ? [] : [password];
    return etcdError(error, { username, secrets, right, keys, service });
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    const closed = new ClosedError('The etcd backend');
    this.#closed.abort(closed);
    for (const giveUp of [...this.#pending]) giveUp(closed);
    this.#links.close(closed);
  }

  async #renewalsOver(link: Link, metadata: Metadata): Promise<KeepAliveStream> {
    if (this.#renewals?.isOpenOn(link) === true) return this.#renewals;
    const stream = await new LeaseClient(callableOn(link, metadata)).leaseKeepAlive();
    if (this.#renewals?.isOpenOn(link) === true) stream.cancel();
    else this.#renewals = new KeepAliveStream(stream, link);
    return this.#renewals;
  }

  #callable(context: RequestContext): ICallable<Link> {
    return {
      exec: <T>(service: ServiceName, method: string, payload: unknown): Promise<T> =>
        this.#request(context, async (link, { metadata, signal }) => {
          const known = this.#links.revision;
          const startedAt = this.#options.clock.monotonic();
          const answer = await link.unary<T>(service, method, payload, { metadata, signal });
          this.#links.answered(startedAt);
          this.#links.compare(link, known, answer);
          return answer;
        }),
      withConnection: () => Promise.reject(new Error('streams are opened elsewhere')),
      markFailed: () => undefined,
      callOptionsFactory: undefined,
    };
  }

  /** Within the time limit, and no longer than the signal allows. */
  #request<T>(context: RequestContext, work: (link: Link, how: How) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const { signal } = context;
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted();
      this.#closed.signal.throwIfAborted();
      const startedAt = clock.monotonic();
      const over = new AbortController();
      const progress: Progress = { signal: over.signal };
      const end = (): void => {
        timer.cancel();
        forget();
        this.#pending.delete(giveUp);
      };
      const giveUp = (error: unknown): void => {
        end();
        reject(error);
        over.abort(error);
      };
      const timer = clock.setTimer(
        () => {
          const { link, failure } = progress;
          this.#links.suspect(link, startedAt);
          const problem =
            failure ?? new Error(`${link?.endpoint ?? 'etcd'} did not answer within ${timeoutMs} ms`);
          giveUp(this.typed(problem, context));
        },
        timeoutMs,
        { keepAlive: true },
      );
      const forget = onAbort(signal, () => giveUp(signal?.reason));
      this.#pending.add(giveUp);
      this.#attempts(progress, work).then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => giveUp(this.typed(error, context)),
      );
    });
  }

  async #attempts<T>(progress: Progress, work: (link: Link, how: How) => Promise<T>): Promise<T> {
    const { clock, rng, endpoints } = this.#options;
    const { signal } = progress;
    let usedSince = 0;
    let lostLinks = 0;
    let hasNewToken = false;
    for (;;) {
      const link = await this.#links.get();
      signal.throwIfAborted();
      if (link !== progress.link) usedSince = clock.monotonic();
      progress.link = link;
      const attempt = this.#attempt(link, signal);
      let token = '';
      try {
        token = await abortable(this.#login?.token(link) ?? Promise.resolve(''), attempt.signal);
        const metadata = new Metadata();
        if (token !== '') metadata.set('token', token);
        // A member that knows of no leader says so, rather than to wait for one.
        metadata.set('hasleader', 'true');
        return await work(link, { metadata, signal: attempt.signal });
      } catch (error) {
        if (signal.aborted || error instanceof AccessDeniedError) throw error;
        progress.failure = error;
        if (attempt.signal.aborted) {
          if (!attempt.wasHeard()) this.#links.doubt(link, error, attempt.limitMs);
        } else if (isStaleToken(error) && this.#login !== undefined && !hasNewToken) {
          hasNewToken = true;
          this.#login.forget(token);
        } else if (isLeaderless(error) && !this.#isCutOff(usedSince)) {
          await sleep(clock, 50 + 100 * rng(), { signal });
        } else if (!link.isOpen || isUnreachable(error) || isOfMember(error)) {
          this.#links.drop(link, error);
          lostLinks += 1;
          if (lostLinks > endpoints.length) throw error;
        } else throw error;
      } finally {
        attempt.end();
      }
    }
  }

  /** Members elect a leader in less: one that still knows of none may have no way to the others, which have one. */
  #isCutOff(askedSince: number): boolean {
    const { clock, timeoutMs, endpoints } = this.#options;
    return endpoints.length > 1 && clock.monotonic() - askedSince > 0.4 * timeoutMs;
  }

  /**
   * What a leader had not passed on when it died is lost, and etcd answers after 5 s or more; and a member that has
   * fallen silent may have others beside it. So an attempt is given up in time for another one.
   */
  #attempt(link: Link, signal: AbortSignal): Attempt {
    const { clock, timeoutMs, endpoints } = this.#options;
    const limitMs = Math.max(shortestAttemptMs, 0.4 * timeoutMs);
    const startedAt = clock.monotonic();
    const over = new AbortController();
    const wasHeard = (): boolean => link.heardAt >= startedAt;
    const timer = clock.setTimer(() => {
      const silence = new Error(`${link.endpoint} did not answer within ${limitMs} ms`);
      if (wasHeard() || endpoints.length > 1) over.abort(silence);
    }, limitMs);
    const forget = onAbort(signal, () => {
      timer.cancel();
      over.abort(signal.reason);
    });
    const end = (): void => {
      timer.cancel();
      forget();
    };
    return { signal: over.signal, limitMs, wasHeard, end };
  }
}

interface How {
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
}

interface Attempt {
  readonly signal: AbortSignal;
  readonly limitMs: number;
  /** Whether the link has said anything since. */
  wasHeard(): boolean;
  end(): void;
}

interface Progress {
  readonly signal: AbortSignal;
  link?: Link;
  failure?: unknown;
}

/** For the streams of etcd3. */
function callableOn(link: Link, metadata: Metadata): ICallable<Link> {
  return {
    exec: () => Promise.reject(new Error('requests are sent elsewhere')),
    withConnection: async (service, use) => use({ resource: link, client: link.client(service), metadata }),
    markFailed: () => undefined,
    callOptionsFactory: undefined,
  };
}
