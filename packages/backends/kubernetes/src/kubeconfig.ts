import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, type OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { abortable, BackendUnavailableError, type Clock } from '@sd/core';
import type { Access, AccessSource } from './access.ts';
import { authorization, readToken } from './credential-files.ts';
import { fields } from './endpoint-slice.ts';
import { unavailable } from './kubernetes-errors.ts';
import { keepsSecrets } from './kubernetes-options.ts';

/** The part of `KubeConfig` that is used. */
interface KubeConfig {
  loadFromFile(file: string): void;
  loadFromDefault(): void;
  loadFromOptions(options: KubeConfigParts): void;
  getClusters(): readonly unknown[];
  getUsers(): readonly User[];
  getCurrentUser(): User | null;
  getContexts(): readonly unknown[];
  setCurrentContext(context: string): void;
  getCurrentCluster(): {
    readonly server: string;
    readonly proxyUrl?: string;
    readonly skipTLSVerify?: boolean;
  } | null;
  getContextObject(name: string): { readonly namespace?: string } | null;
  getCurrentContext(): string;
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

interface KubeConfigParts {
  readonly clusters: readonly unknown[];
  readonly users: readonly User[];
  readonly contexts: readonly unknown[];
  readonly currentContext: string | undefined;
}

interface User {
  readonly name: string;
  /** The client does not know it. */
  readonly tokenFile?: string;
}

export interface Patience {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * What `kubectl` would use. `@kubernetes/client-node` reads the file and asks exec plugins and OIDC; it is heavy, so it
 * is loaded here, when it is needed, and never in a pod. What was refused is read from the beginning: files change, and
 * what plugins said is kept until it expires. A plugin that takes too long goes on, and nobody can stop it: whoever asks
 * next waits for the same one.
 */
export function kubeconfigSource(
  { file, context }: { readonly file?: string | undefined; readonly context?: string | undefined } = {},
  patience: Patience,
): AccessSource {
  let loaded: Promise<KubeConfig> | undefined;
  let underWay: Promise<Access> | undefined;
  const load = async (): Promise<KubeConfig> => {
    const { KubeConfig } = await loadClient();
    const config: KubeConfig = new KubeConfig();
    const files = file === undefined ? usualFiles() : [file];
    if (files.length === 0) config.loadFromDefault();
    else config.loadFromOptions(merged(await Promise.all(files.map(loadFile))));
    if (context !== undefined) config.setCurrentContext(context);
    return config;
  };
  return async (afresh) => {
    if (afresh && underWay === undefined) loaded = undefined;
    try {
      const config = await (loaded ??= load());
      underWay ??= read(config, patience.timeoutMs).finally(() => (underWay = undefined));
      return await inTime(underWay, patience);
    } catch (cause) {
      if (underWay === undefined) loaded = undefined;
      if (cause instanceof BackendUnavailableError) throw cause;
      throw unavailable(`the kubeconfig cannot be used: ${describe(cause)}`);
    }
  };
}

/** Those that are there, as `kubectl` has it. */
function usualFiles(): readonly string[] {
  const { KUBECONFIG = '' } = process.env;
  const files = KUBECONFIG === '' ? [join(homedir(), '.kube', 'config')] : KUBECONFIG.split(delimiter);
  return files.filter((file) => file !== '' && existsSync(file));
}

async function loadFile(file: string): Promise<KubeConfigParts> {
  const { KubeConfig, loadYaml } = await loadClient();
  const config: KubeConfig = new KubeConfig();
  config.loadFromFile(file);
  const { users } = fields(loadYaml(await readFile(file, 'utf8')));
  const told: readonly unknown[] = Array.isArray(users) ? users : [];
  const tokenFiles = new Map(told.map((each) => [fields(each).name, fields(fields(each).user).tokenFile]));
  return {
    clusters: config.getClusters(),
    users: config.getUsers().map((user) => {
      const tokenFile = tokenFiles.get(user.name);
      return typeof tokenFile === 'string' ? { ...user, tokenFile: resolve(dirname(file), tokenFile) } : user;
    }),
    contexts: config.getContexts(),
    currentContext: config.getCurrentContext(),
  };
}

/**
 * What the first file says counts, as for `kubectl`: the client itself takes the current context of the last one, which
 * may be another cluster, and refuses names that are in several. It looks names up from the beginning.
 */
function merged(files: readonly KubeConfigParts[]): KubeConfigParts {
  return {
    clusters: files.flatMap(({ clusters }) => clusters),
    users: files.flatMap(({ users }) => users),
    contexts: files.flatMap(({ contexts }) => contexts),
    currentContext: files.map(({ currentContext }) => currentContext).find(Boolean),
  };
}

async function read(config: KubeConfig, timeoutMs: number): Promise<Access> {
  const name = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw unavailable(`the kubeconfig has no context "${name}", or it names no cluster`);
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    throw unavailable(`there is no kubeconfig, or its server ${cluster.server} speaks no TLS`);
  }
  // After it the agent of a proxy gives up a connection that is not there: it does not know the signal of the request.
  // That of a SOCKS proxy would also end each watch that is silent for so long, and has a limit of its own.
  const options: RequestOptions =
    cluster.proxyUrl?.startsWith('socks') === true ? {} : { timeout: timeoutMs };
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, servername, rejectUnauthorized, auth, agent } = options;
  const namespace = config.getContextObject(name)?.namespace;
  const tokenFile = config.getCurrentUser()?.tokenFile;
  const told = tokenFile === undefined ? {} : authorization(await readToken(tokenFile));
  const headers: Record<string, string> = { ...plain(options.headers), ...basic(auth), ...told };
  if (headers.Authorization !== undefined && !keepsSecrets(cluster.server)) {
    throw unavailable(
      `what the kubeconfig has for ${cluster.server} is not sent in the clear; it takes https`,
    );
  }
  return {
    server: new URL(cluster.server),
    headers,
    tls: {
      ...(isPem(ca) ? { ca } : {}),
      ...(isPem(cert) ? { cert } : {}),
      ...(isPem(key) ? { key } : {}),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    },
    ...(cluster.proxyUrl !== undefined && agent instanceof Agent ? { agent } : {}),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

async function loadClient() {
  try {
    return await import('@kubernetes/client-node');
  } catch (cause) {
    throw unavailable(
      'reading a kubeconfig takes the package @kubernetes/client-node: npm install @kubernetes/client-node',
      { cause },
    );
  }
}

/** A plugin may ask for a password and wait for ever. */
async function inTime<T>(work: Promise<T>, { clock, timeoutMs }: Patience): Promise<T> {
  const limit = new AbortController();
  const timer = clock.setTimer(
    () => limit.abort(unavailable(`the credentials of the kubeconfig were not there within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await abortable(work, limit.signal);
  } finally {
    timer.cancel();
  }
}

/** What a plugin says when it fails may hold what it was given: only that it failed is repeated. */
function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown error';
  if ('code' in cause && typeof cause.code === 'string') return `${cause.code} ${pathOf(cause)}`.trim();
  return /^[\w .,!'-]{1,120}$/.test(cause.message) ? cause.message : 'its file or its exec plugin failed';
}

const pathOf = (cause: Error): string => String(Reflect.get(cause, 'path') ?? '');

const isPem = (value: unknown): value is string | Buffer =>
  typeof value === 'string' || Buffer.isBuffer(value);

function plain(headers: RequestOptions['headers']): Record<string, string> {
  const entries = Object.entries((headers ?? {}) as OutgoingHttpHeaders);
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function basic(auth: string | null | undefined): Record<string, string> {
  return typeof auth === 'string' ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
}
