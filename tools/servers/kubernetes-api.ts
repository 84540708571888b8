import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  hang,
  sendExpired,
  sendFailure,
  sendForbidden,
  sendJson,
  sendMalformedVersion,
  sendObject,
  sendStatus,
  sendText,
  sendTooLargeVersion,
  sendTooManyRequests,
} from './kubernetes-answers.ts';
import { isSameSlice, makeSlice, RequestError, type StoredSlice } from './kubernetes-objects.ts';
import { jsonPatch, mergePatch } from './kubernetes-patch.ts';
import { KubernetesResponse } from './kubernetes-response.ts';
import { parseLabelSelector } from './kubernetes-selector.ts';
import { KubernetesStore } from './kubernetes-store.ts';
import { KubernetesWatch, errorLine } from './kubernetes-watch.ts';

export interface KubernetesApiOptions {
  /** Serves TLS with these (PEM). A client certificate of the authority is the user of its name. Default: none, HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** Default: 0, a free one. */
  readonly port?: number;
  /** Where the store is kept. Default: in memory. */
  readonly file?: string;
  /** Milliseconds from one bookmark of a watch to the next. Default: 60,000. */
  readonly bookmarkMs?: number;
  /** Answers below this path alone. Default: none. */
  readonly basePath?: string;
}

/** What goes wrong until it is set to something else. */
export interface KubernetesFaults {
  /** etcd hangs: what the watch cache has not is not answered. */
  readonly hung?: boolean;
  /** Each request is answered with this instead. */
  readonly status?: 429 | 500 | 503 | 504;
  /** Beside the status, in seconds. */
  readonly retryAfter?: number;
  /** Watches end as soon as they begin, and nothing is wrong with them. */
  readonly endingWatches?: boolean;
}

export interface LoggedRequest {
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly atMs: number;
}

/**
 * EndpointSlices of an API server, for tests: lists in pages, watches with a history that can be compacted, writes, users
 * and rights, and the faults that real ones have. It is held against recordings of one (kubernetes-recordings).
 */
export class KubernetesApi implements AsyncDisposable {
  readonly store: KubernetesStore;
  readonly requests: LoggedRequest[] = [];
  /** Users by token. */
  readonly tokens = new Map([
    ['admintoken', 'admin'],
    ['readertoken', 'reader'],
    ['nobodytoken', 'nobody'],
  ]);
  /** What users may do with EndpointSlices; `*` is everything. */
  readonly rights = new Map<string, readonly string[]>([
    ['admin', ['*']],
    ['reader', ['get', 'list', 'watch']],
    ['sd test', ['get', 'list', 'watch']],
  ]);
  faults: KubernetesFaults = {};
  readonly #options: KubernetesApiOptions;
  readonly #server: Server;
  readonly #watches = new Set<KubernetesWatch>();
  readonly #origin: string;
  #port = 0;

  static async listen(options: KubernetesApiOptions = {}): Promise<KubernetesApi> {
    const api = new KubernetesApi(options);
    await api.#listen();
    return api;
  }

  private constructor(options: KubernetesApiOptions) {
    this.#options = options;
    this.store = new KubernetesStore(options.file);
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#answer(request, response);
    const { tls } = options;
    this.#origin = tls === undefined ? 'http' : 'https';
    this.#server =
      tls === undefined
        ? createHttpServer(answer)
        : createHttpsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, answer);
    this.#server.keepAliveTimeout = 90_000;
    this.#server.requestTimeout = 0;
    this.store.onChange((change) => this.#watches.forEach((watch) => watch.onChange(change)));
  }

  get url(): string {
    return `${this.#origin}://127.0.0.1:${this.#port}${this.#options.basePath ?? ''}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Makes a slice or puts it in the place of the one of its name, as a controller would. */
  apply(namespace: string, slice: { readonly metadata: { readonly name: string } }): StoredSlice {
    const { name } = slice.metadata;
    const key = `${namespace}/${name}`;
    const before = this.store.get(key);
    return this.store.put(key, (revision) => makeSlice(slice, { namespace, name, revision }, before));
  }

  delete(namespace: string, name: string): void {
    this.store.delete(`${namespace}/${name}`);
  }

  /** Ends all watches as the server does when their time is over. */
  endWatches(): void {
    for (const watch of [...this.#watches]) watch.end();
  }

  /** Breaks the connections of all watches. @param line of which half is sent before */
  cutWatches(line?: string): void {
    for (const watch of [...this.#watches]) watch.cut(line);
  }

  /** Sends this to all watches, whatever it is. */
  tell(text: string): void {
    for (const watch of this.#watches) watch.send(text);
  }

  disconnectAll(): void {
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#options.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const sent = await bodyOf(request);
      this.#route(request, sent, response);
    } catch (error) {
      if (response.destroyed) return;
      const { status, reason, message } =
        error instanceof RequestError ? error : new RequestError(500, 'InternalError', String(error));
      sendStatus(response, { status, reason, message });
    }
  }

  #route(request: IncomingMessage, sent: string, response: ServerResponse): void {
    const { url = '/', method = 'GET', headers } = request;
    const { basePath = '' } = this.#options;
    const { pathname, searchParams: query } = new URL(url, 'http://server');
    const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : '/';
    if (path === '/readyz') return sendText(response, 200, 'ok');
    if (path === '/-/pid') return sendText(response, 200, String(process.pid));
    const [, namespace, name] =
      /^\/apis\/discovery\.k8s\.io\/v1(?:\/namespaces\/([^/]+))?\/endpointslices(?:\/([^/]+))?$/.exec(path) ??
      [];
    const isWatch = /^(1|true)$/.test(query.get('watch') ?? '');
    const verb = verbOf(method, isWatch, name !== undefined);
    const { authorization } = headers;
    this.requests.push({ verb, path, query, authorization, atMs: performance.now() });

    const user = this.#userOf(request);
    if (user === undefined)
      return sendStatus(response, { status: 401, reason: 'Unauthorized', message: 'Unauthorized' });
    const { status, retryAfter } = this.faults;
    if (status === 429) return sendTooManyRequests(response, retryAfter ?? 1);
    if (status !== undefined) return sendFailure(response, status, retryAfter);
    if (/^\/api\/v1\/namespaces(\/|$)/.test(path)) return this.#namespaces(method, path, sent, response);
    if (!path.startsWith('/apis/discovery.k8s.io/v1/'))
      return sendText(response, 404, '404 page not found\n');
    const rights = this.rights.get(user) ?? [];
    if (!rights.includes('*') && !rights.includes(verb))
      return sendForbidden(response, { user, verb, namespace });
    if (verb === 'list') return this.#list(namespace, query, response);
    if (verb === 'watch') return this.#watch(namespace, query, response);
    if (namespace === undefined) throw new RequestError(405, 'MethodNotAllowed', 'method not allowed');
    if (this.faults.hung === true) return hang(response);
    this.#write(verb, { namespace, name }, sent, headers['content-type'] ?? '', response);
  }

  #userOf({ headers, socket }: IncomingMessage): string | undefined {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (token !== undefined) return this.tokens.get(token);
    if (socket instanceof TLSSocket && socket.authorized) {
      const { CN } = socket.getPeerCertificate().subject;
      return String(CN);
    }
    return 'system:anonymous';
  }

  #list(namespace: string | undefined, query: URLSearchParams, response: ServerResponse): void {
    const { store } = this;
    const wanted = query.get('resourceVersion') ?? '';
    const isExact = query.get('resourceVersionMatch') === 'Exact';
    if (this.faults.hung === true && wanted !== '0') return hang(response);
    if (Number(wanted) > store.revision) return sendTooLargeVersion(response, wanted, store.revision);
    if (isExact && Number(wanted) < store.oldest)
      return sendStatus(response, {
        status: 410,
        reason: 'Expired',
        message: 'The resourceVersion for the provided list is too old.',
      });
    const token = query.get('continue');
    const from = token === null ? undefined : parseContinue(token);
    if (from !== undefined && from.rv !== -1 && from.rv < store.oldest)
      return sendExpired(response, continueToken(-1, from.start.replace(/^\//, '')));
    const revision =
      from === undefined || from.rv === -1 ? (isExact ? Number(wanted) : store.revision) : from.rv;
    const selector = query.get('labelSelector') ?? '';
    const matches = parseLabelSelector(selector);
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    const start = from?.start.replace(/^\//, '') ?? '';
    const found = store
      .entries(revision)
      .filter(([key]) => key.startsWith(prefix) && key.slice(prefix.length) >= start)
      .filter(([, { metadata }]) => matches(metadata.labels ?? {}));
    const limit = Number(query.get('limit') ?? 0);
    const page = limit > 0 ? found.slice(0, limit) : found;
    const last = page.at(-1)?.[0].slice(prefix.length) ?? '';
    const metadata = {
      resourceVersion: String(revision),
      ...(page.length < found.length ? { continue: continueToken(revision, `/${last}\u0000`) } : {}),
      ...(page.length < found.length && selector === ''
        ? { remainingItemCount: found.length - page.length }
        : {}),
    };
    const answer = new KubernetesResponse(response, { status: 200 });
    const head = { kind: 'EndpointSliceList', apiVersion: 'discovery.k8s.io/v1', metadata };
    answer.write(`${JSON.stringify(head).slice(0, -1)},"items":[`);
    for (const [index, [, slice]] of page.entries())
      answer.write(`${index === 0 ? '' : ','}${JSON.stringify(slice)}`);
    answer.write(']}\n');
    answer.end();
  }

  #watch(namespace: string | undefined, query: URLSearchParams, response: ServerResponse): void {
    const { store } = this;
    const wanted = query.get('resourceVersion') ?? '';
    if (!/^\d*$/.test(wanted)) return sendMalformedVersion(response, wanted);
    const stream = new KubernetesResponse(response, { status: 200 });
    const isFromNow = wanted === '' || wanted === '0' || query.get('sendInitialEvents') === 'true';
    if (!isFromNow && Number(wanted) < store.oldest) {
      stream.write(errorLine(410, 'Expired', `too old resource version: ${wanted} (${store.oldest})`));
      stream.flush();
      return stream.end();
    }
    const watch = new KubernetesWatch(stream, {
      store,
      namespace,
      query,
      from: isFromNow ? undefined : Number(wanted),
      bookmarkMs: this.#options.bookmarkMs ?? 60_000,
    });
    this.#watches.add(watch);
    stream.onClose(() => this.#watches.delete(watch));
    watch.begin();
    if (this.faults.endingWatches === true) watch.end();
  }

  #write(
    verb: string,
    { namespace, name: given }: { readonly namespace: string; readonly name: string | undefined },
    sent: string,
    contentType: string,
    response: ServerResponse,
  ): void {
    const { store } = this;
    const object: unknown = sent === '' ? undefined : JSON.parse(sent);
    const name =
      given ??
      String(Reflect.get(Object(Reflect.get(Object(object) as object, 'metadata')) as object, 'name'));
    const key = `${namespace}/${name}`;
    const before = store.get(key);
    if (verb === 'create') {
      if (before !== undefined)
        throw new RequestError(
          409,
          'AlreadyExists',
          `endpointslices.discovery.k8s.io "${name}" already exists`,
        );
      return sendObject(
        response,
        201,
        store.put(key, (revision) => makeSlice(object, { namespace, name, revision })),
      );
    }
    if (before === undefined)
      throw new RequestError(404, 'NotFound', `endpointslices.discovery.k8s.io "${name}" not found`);
    if (verb === 'get') return sendObject(response, 200, before);
    if (verb === 'delete') {
      store.delete(key);
      const details = { name, group: 'discovery.k8s.io', kind: 'endpointslices', uid: before.metadata.uid };
      return sendJson(response, 200, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
        details,
      });
    }
    const changed =
      verb === 'update'
        ? object
        : (contentType.includes('json-patch+json') ? jsonPatch : mergePatch)(before, object);
    const expected: unknown = Reflect.get(
      Object(Reflect.get(Object(object) as object, 'metadata')) as object,
      'resourceVersion',
    );
    if (expected !== undefined && expected !== before.metadata.resourceVersion)
      throw new RequestError(
        409,
        'Conflict',
        'the object has been modified; please apply your changes to the latest version',
      );
    const next = makeSlice(changed, { namespace, name, revision: store.revision + 1 }, before);
    if (isSameSlice(before, next)) return sendObject(response, 200, before);
    sendObject(
      response,
      200,
      store.put(key, () => next),
    );
  }

  /** They are taken as they come, and their end is that of what is in them. */
  #namespaces(method: string, path: string, sent: string, response: ServerResponse): void {
    const [, name] = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(path) ?? [];
    if (method === 'POST') return sendJson(response, 201, JSON.parse(sent));
    if (method !== 'DELETE' || name === undefined) return sendText(response, 404, '404 page not found\n');
    for (const [key] of this.store.entries()) if (key.startsWith(`${name}/`)) this.store.delete(key);
    sendJson(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
  }
}

function verbOf(method: string, isWatch: boolean, isNamed: boolean): string {
  if (method === 'GET') return isWatch ? 'watch' : isNamed ? 'get' : 'list';
  return { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? method.toLowerCase();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function continueToken(rv: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start })).toString('base64url');
}

function parseContinue(token: string): { readonly rv: number; readonly start: string } {
  try {
    const { rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>;
    if (typeof rv === 'number' && typeof start === 'string') return { rv, start };
  } catch {
    // It is none.
  }
  throw new RequestError(400, 'BadRequest', 'continue key is not valid');
}
