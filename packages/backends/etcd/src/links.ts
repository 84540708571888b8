import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { Backoff, onAbort, type Clock, type DiscoveryError, type Rng, type TlsOptions } from '@sd/core';
import { etcdError } from './etcd-errors.ts';
import { Link } from './link.ts';

export interface LinksOptions {
  readonly endpoints: readonly string[];
  /** For messages. */
  readonly username?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Aborts with a `ClosedError` when the backend closes. */
  readonly closed: AbortSignal;
}

/**
 * After a failure to connect, everybody fails with it for a while, in milliseconds at most: callers may come by the
 * thousand, and processes by the hundred.
 */
const breather = { baseMs: 100, capMs: 500 };

/** A server that has much to do is not given up or asked again earlier, in milliseconds. */
export const shortestAttemptMs = 1_000;

/**
 * After each connection that was given up in vain we wait twice as long, to this in milliseconds: a server that is slow
 * because it has much to do would have yet more to do by new ones.
 */
const longestPatienceMs = 5_000;

/**
 * One link at a time, to the first endpoint that answers: made when it is needed, forgotten when it breaks, and given up
 * for the next one by what requests tell of it.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #credentials: ChannelCredentials;
  readonly #breather: Backoff;
  #link: Link | undefined;
  #connecting: Promise<Link> | undefined;
  /** Where the next attempt to connect begins. */
  #next: number;
  #refused: { readonly error: unknown; readonly until: number } | undefined;
  /** The highest revision that this link has told of. */
  #revision = 0;
  /** Requests in succession that had no answer. */
  #unanswered = 0;
  /** Connections in succession that were given up for their silence. */
  #silences = 0;

  constructor(options: LinksOptions) {
    this.#options = options;
    const { endpoints, tls, rng } = options;
    this.#next = Math.floor(rng() * endpoints.length);
    this.#breather = new Backoff({ ...breather, rng });
    const isSecure = endpoints[0]?.startsWith('https:') === true;
    this.#credentials = isSecure ? secure(tls) : credentials.createInsecure();
  }

  /** The link, connected. @throws {DiscoveryError} */
  async get(): Promise<Link> {
    const { closed, clock } = this.#options;
    closed.throwIfAborted();
    if (this.#link?.isOpen === true) return this.#link;
    if (this.#refused !== undefined && clock.monotonic() < this.#refused.until) throw this.#refused.error;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** The highest revision that is known of the store that the link leads to. */
  get revision(): number {
    return this.#revision;
  }

  /** A request that was sent then has an answer. */
  answered(startedAt: number): void {
    const { clock, timeoutMs } = this.#options;
    this.#unanswered = 0;
    if (clock.monotonic() - startedAt < timeoutMs / 10) this.#silences = 0;
    this.#breather.reset();
  }

  /**
   * A link that tells of an older state than before leads to another store now, or to one that was set back.
   * @param known the revision that was known when it was asked
   */
  compare(link: Link, known: number, answer: unknown): void {
    const header: unknown = Reflect.get(Object(answer), 'header');
    const revision = Number(Reflect.get(Object(header), 'revision'));
    if (link !== this.#link || Number.isNaN(revision)) return;
    this.#revision = Math.max(this.#revision, revision);
    if (revision < known && revision > 0)
      this.drop(link, new Error(`etcd has lost data: its revision went back from ${known} to ${revision}`));
  }

  /** A request has had no answer: was it the request, or the link? */
  suspect(link: Link | undefined, startedAt: number): void {
    if (link === undefined) return;
    this.#unanswered += 1;
    // A member that is cut off from the others may go on to say something, and answer nothing.
    const isOfNoUse = this.#options.endpoints.length > 1 && this.#unanswered > 1;
    const reason = new Error(`${link.endpoint} has not answered for ${this.#options.timeoutMs} ms`);
    if (isOfNoUse) this.drop(link, reason);
    else if (link.heardAt < startedAt) this.doubt(link, reason);
  }

  /** Gives it up if it has been silent for long enough. */
  doubt(link: Link, reason: unknown, limitMs = this.#options.timeoutMs): void {
    // Part of the limit of a request may have gone by before it was sent.
    if (!link.isOpen || link.silentMs < 0.8 * this.#patienceMs(limitMs)) return;
    this.#silences += 1;
    this.drop(link, reason);
  }

  /** What has become known of a link makes it useless. */
  drop(link: Link, reason: unknown): void {
    this.#next = (this.#options.endpoints.indexOf(link.endpoint) + 1) % this.#options.endpoints.length;
    link.close(reason);
  }

  close(reason: unknown): void {
    this.#link?.close(reason);
  }

  /** To each endpoint in turn, so that one that does not answer leaves time for the others. */
  async #connect(): Promise<Link> {
    const { endpoints, tls, clock, closed } = this.#options;
    const patienceMs = this.#patienceMs();
    const limitMs = Math.min(0.9 * patienceMs, Math.max(shortestAttemptMs, patienceMs / endpoints.length));
    const startedAt = clock.monotonic();
    let failure: unknown;
    for (const _ of endpoints) {
      const endpoint = endpoints[this.#next % endpoints.length] ?? '';
      const servername = tls?.servername;
      const link = new Link({ endpoint, credentials: this.#credentials, servername, clock });
      try {
        await link.connect(limitMs, closed);
        this.#accept(link);
        return link;
      } catch (error) {
        closed.throwIfAborted();
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

  #patienceMs(limitMs = this.#options.timeoutMs): number {
    return Math.min(limitMs * 2 ** this.#silences, Math.max(limitMs, longestPatienceMs));
  }
}

function secure({ ca, cert, key }: TlsOptions = {}): ChannelCredentials {
  const buffer = (pem: string | Buffer | undefined): Buffer | null =>
    pem === undefined ? null : Buffer.from(pem);
  return credentials.createSsl(buffer(ca), buffer(key), buffer(cert));
}
