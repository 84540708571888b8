import { credentials, Metadata, type ChannelCredentials } from '@grpc/grpc-js';
import {
  abortable,
  AccessDeniedError,
  Backoff,
  ClosedError,
  onAbort,
  sleep,
  type Clock,
  type DiscoveryError,
  type Rng,
  type TlsOptions,
} from '@sd/core';
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
import { Link, type ServiceName } from './link.ts';
import { Login } from './login.ts';

export interface ConnectionOptions {
  readonly endpoints: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
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
 * After a failure to connect, everybody fails with it for a while, in milliseconds at most: callers may come by the
 * thousand, and processes by the hundred.
 */
const breather = { baseMs: 100, capMs: 500 };

/** A server that has much to do is not given up or asked again earlier, in milliseconds. */
const shortestAttemptMs = 1_000;

/**
 * After each connection that was given up in vain we wait twice as long, to this in milliseconds: a server that is slow
 * because it has much to do would have yet more to do by new ones.
 */
const longestPatienceMs = 5_000;

/**
 * One link at a time, to the first endpoint that answers: made when it is needed, forgotten when it breaks. Each request
 * has a deadline, and is tried anew within it where that can help: with a new token, at another endpoint, or when etcd
 * has a leader again. All that we ask may be asked twice.
 *
 * The pool of etcd3 takes an endpoint at random for each request, waits without a limit, asks for ever when a token is
 * refused, and keeps a connection open for each login. So its clients of the protocol stand on this instead.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #credentials: ChannelCredentials;
  readonly #login: Login | undefined;
  readonly #closed = new AbortController();
  readonly #pending = new Set<(error: unknown) => void>();
  #link: Link | undefined;
  #renewals: KeepAliveStream | undefined;
  #connecting: Promise<Link> | undefined;
  /** Where the next attempt to connect begins. */
  #next: number;
  #refused: { readonly error: unknown; readonly until: number } | undefined;
  readonly #breather: Backoff;
  /** The highest revision that this link has told of. */
  #revision = 0;
  /** Requests in succession that had no answer. */
  #unanswered = 0;
  /** Connections in succession that were given up for their silence. */
  #silences = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { endpoints, tls, username, password, clock, rng } = options;
    this.#next = Math.floor(rng() * endpoints.length);
    this.#breather = new Backoff({ ...breather, rng });
    const isSecure = endpoints[0]?.startsWith('https:') === true;
    this.#credentials = isSecure ? secure(tls) : credentials.createInsecure();
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
      this.#answered(startedAt);
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
    this.#next = (this.#options.endpoints.indexOf(link.endpoint) + 1) % this.#options.endpoints.length;
    link.close(reason);
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
    this.#link?.close(closed);
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
          const known = this.#revision;
          const startedAt = this.#options.clock.monotonic();
          const answer = await link.unary<T>(service, method, payload, { metadata, signal });
          this.#answered(startedAt);
          this.#compare(link, known, answer);
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
          this.#suspect(link, startedAt);
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
      const link = await this.#connected();
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
          if (!attempt.wasHeard()) this.#doubt(link, error, attempt.limitMs);
        } else if (isStaleToken(error) && this.#login !== undefined && !hasNewToken) {
          hasNewToken = true;
          this.#login.forget(token);
        } else if (isLeaderless(error) && !this.#isCutOff(usedSince)) {
          await sleep(clock, 50 + 100 * rng(), { signal });
        } else if (!link.isOpen || isUnreachable(error) || isOfMember(error)) {
          this.drop(link, error);
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

  async #connected(): Promise<Link> {
    this.#closed.signal.throwIfAborted();
    if (this.#link?.isOpen === true) return this.#link;
    if (this.#refused !== undefined && this.#options.clock.monotonic() < this.#refused.until)
      throw this.#refused.error;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** To each endpoint in turn, so that one that does not answer leaves time for the others. */
  async #connect(): Promise<Link> {
    const { endpoints, tls, clock } = this.#options;
    const patienceMs = this.#patienceMs();
    const limitMs = Math.min(0.9 * patienceMs, Math.max(shortestAttemptMs, patienceMs / endpoints.length));
    const startedAt = clock.monotonic();
    let failure: unknown;
    for (const _ of endpoints) {
      const endpoint = endpoints[this.#next % endpoints.length] ?? '';
      const servername = tls?.servername;
      const link = new Link({ endpoint, credentials: this.#credentials, servername, clock });
      try {
        await link.connect(limitMs, this.#closed.signal);
        this.#accept(link);
        return link;
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        this.#next = (this.#next + 1) % endpoints.length;
        failure = this.#unreachable(error, endpoint);
      }
    }
    if (clock.monotonic() - startedAt >= limitMs) this.#silences += 1;
    this.#pause(failure);
    throw failure;
  }

  #accept(link: Link): void {
    this.#link = link;
    this.#revision = 0;
    this.#refused = undefined;
    onAbort(link.closed, () => {
      // One that breaks before it has been of use is no better than none.
      if (link.heardAt === -Infinity) this.#pause(this.#unreachable(link.closed.reason, link.endpoint));
    });
  }

  #pause(error: unknown): void {
    this.#refused = { error, until: this.#options.clock.monotonic() + this.#breather.next() };
  }

  #unreachable(error: unknown, endpoint: string): DiscoveryError {
    return etcdError(error, { secrets: [], endpoint, username: this.#options.username });
  }

  /** A request has had no answer: was it the request, or the link? */
  #suspect(link: Link | undefined, startedAt: number): void {
    if (link === undefined) return;
    this.#unanswered += 1;
    // A member that is cut off from the others may go on to say something, and answer nothing.
    const isOfNoUse = this.#options.endpoints.length > 1 && this.#unanswered > 1;
    const reason = new Error(`${link.endpoint} has not answered for ${this.#options.timeoutMs} ms`);
    if (isOfNoUse) this.drop(link, reason);
    else if (link.heardAt < startedAt) this.#doubt(link, reason);
  }

  /** Gives it up if it has been silent for long enough. */
  #doubt(link: Link, reason: unknown, limitMs = this.#options.timeoutMs): void {
    // Part of the limit of a request may have gone by before it was sent.
    if (!link.isOpen || link.silentMs < 0.8 * this.#patienceMs(limitMs)) return;
    this.#silences += 1;
    this.drop(link, reason);
  }

  #patienceMs(limitMs = this.#options.timeoutMs): number {
    return Math.min(limitMs * 2 ** this.#silences, Math.max(limitMs, longestPatienceMs));
  }

  #answered(startedAt: number): void {
    const { clock, timeoutMs } = this.#options;
    this.#unanswered = 0;
    if (clock.monotonic() - startedAt < timeoutMs / 10) this.#silences = 0;
    this.#breather.reset();
  }

  /** A link that tells of an older state than before leads to another store now, or to one that was set back. */
  #compare(link: Link, known: number, answer: unknown): void {
    const header: unknown = Reflect.get(Object(answer), 'header');
    const revision = Number(Reflect.get(Object(header), 'revision'));
    if (link !== this.#link || Number.isNaN(revision)) return;
    this.#revision = Math.max(this.#revision, revision);
    if (revision < known && revision > 0)
      this.drop(link, new Error(`etcd has lost data: its revision went back from ${known} to ${revision}`));
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

function secure({ ca, cert, key }: TlsOptions = {}): ChannelCredentials {
  const buffer = (pem: string | Buffer | undefined): Buffer | null =>
    pem === undefined ? null : Buffer.from(pem);
  return credentials.createSsl(buffer(ca), buffer(key), buffer(cert));
}
