import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { makeCertificates, type Certificates } from './certificates.ts';
import { onProcessEnd } from './exit-cleanup.ts';
import { ServerProcess } from './server-process.ts';
import { findConsul } from './store-binaries.ts';
import type { StartOptions } from './test-server.ts';

export interface ConsulServerOptions {
  /** Serves TLS alone, with a certificate for 127.0.0.1 and localhost; `expired` makes it one of the past. Default: false. */
  readonly tls?: boolean | 'expired';
  /** Nobody may do anything without a token; `clientToken` has the rights that clients need. Default: false. */
  readonly acl?: boolean;
  /** Whether a killed server finds its data again; it then takes 2 s to start instead of 0.3. Default: true. */
  readonly persistent?: boolean;
  /** More of its configuration file: `{ node_meta: { zone: 'eu-1' } }`. Default: none. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface ConsulReply {
  readonly status: number;
  /** As text, where it is no JSON. */
  readonly body: unknown;
}

/** An agent that is a server as well, and a cluster by itself. */
export class ConsulServer extends ServerProcess {
  /** May do everything. */
  readonly managementToken = randomUUID();
  /** May register and read all services. It survives the data, as it is made anew. */
  readonly clientToken = randomUUID();
  readonly node = `sd-${randomUUID().slice(0, 8)}`;
  readonly #options: ConsulServerOptions;
  readonly #certificates: Certificates | undefined;
  readonly #memory: MemoryFolder | undefined;

  static async start(options: ConsulServerOptions = {}): Promise<ConsulServer> {
    return new ConsulServer(options).launch();
  }

  protected constructor(options: ConsulServerOptions) {
    super('Consul', 3);
    this.#options = options;
    const { tls = false, persistent = true } = options;
    if (persistent) this.#memory = new MemoryFolder();
    if (tls !== false) this.#certificates = makeCertificates(this.folder, { expired: tls === 'expired' });
  }

  get url(): string {
    return `${this.#certificates === undefined ? 'http' : 'https'}://${this.host}:${this.port}`;
  }

  /** The certificate (PEM) of the authority that a client has to trust; `undefined` without TLS. */
  get tls(): { readonly ca: string } | undefined {
    return this.#certificates && { ca: this.#certificates.ca };
  }

  /** @throws where Consul answers with an error */
  async command(method: Method, path: string, body?: unknown): Promise<unknown> {
    const reply = await this.request(method, path, body);
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${String(reply.body)}`);
    return reply.body;
  }

  /** What the agent has, by id. */
  async listed(what: 'services' | 'checks'): Promise<ReadonlyMap<string, unknown>> {
    const body = await this.command('GET', `agent/${what}`);
    const entries: readonly (readonly [string, unknown])[] = Object.entries(Object(body) as object);
    return new Map(entries);
  }

  /** As one who may do everything. Certificates are not verified: tests verify with their own client. */
  request(method: Method, path: string, body?: unknown): Promise<ConsulReply> {
    const send = this.#certificates === undefined ? httpRequest : httpsRequest;
    const headers = this.#options.acl === true ? { 'x-consul-token': this.managementToken } : {};
    const settings = { method, headers, agent: false, rejectUnauthorized: false, timeout: 5_000 };
    return new Promise((resolve, reject) => {
      const request = send(`${this.url}/v1/${path}`, settings, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Takes all rights from the clients' token, and makes it unknown. */
  async denyClients(): Promise<void> {
    const tokens = await this.command('GET', 'acl/tokens');
    for (const token of Array.isArray(tokens) ? (tokens as readonly unknown[]) : []) {
      if (Reflect.get(Object(token), 'Description') !== clients) continue;
      await this.command('DELETE', `acl/token/${String(Reflect.get(Object(token), 'AccessorID'))}`);
    }
  }

  /** Idempotent. */
  async allowClients(): Promise<void> {
    const tokens = await this.command('GET', 'acl/tokens');
    if (JSON.stringify(tokens).includes(clients)) return;
    await this.addToken(this.clientToken, clientRules, clients);
  }

  /** A token with these rules and no others. */
  async addToken(secret: string, rules: string, description = 'sd test'): Promise<void> {
    const name = `p-${randomUUID()}`;
    await this.command('PUT', 'acl/policy', { Name: name, Rules: rules });
    await this.command('PUT', 'acl/token', {
      SecretID: secret,
      Description: description,
      Policies: [{ Name: name }],
    });
  }

  override async start(options: StartOptions = {}): Promise<void> {
    if (options.keepData === false) this.#memory?.empty();
    await super.start(options);
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#memory?.remove();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const configFile = join(this.folder, 'consul.json');
    writeFileSync(configFile, JSON.stringify(this.#configuration()));
    const mode = this.#options.persistent === false ? ['-dev'] : [];
    return [findConsul() ?? 'consul', 'agent', ...mode, '-config-file', configFile];
  }

  protected override async isReady(): Promise<boolean> {
    const self = await this.command('GET', 'agent/self');
    if (!JSON.stringify(self).includes(`"NodeName":"${this.node}"`)) return false;
    const leader = await this.command('GET', 'status/leader');
    if (leader !== `127.0.0.1:${this.ports[2]}`) return false;
    // Consistent: a leader that still catches up with its log answers from the past.
    const nodes = await this.command('GET', 'catalog/nodes?consistent');
    if (!JSON.stringify(nodes).includes(this.node)) return false;
    if (this.#options.acl === true) await this.allowClients();
    return true;
  }

  #configuration(): Readonly<Record<string, unknown>> {
    const { acl = false, config = {}, persistent = true } = this.#options;
    const [http, serf, server] = this.ports;
    const certificates = this.#certificates;
    const security = certificates && {
      cert_file: certificates.files.certificate,
      key_file: certificates.files.key,
      ca_file: certificates.files.ca,
    };
    const tokens = { master: this.managementToken, agent: this.managementToken };
    return {
      node_name: this.node,
      bind_addr: this.host,
      client_addr: this.host,
      log_level: 'warn',
      disable_update_check: true,
      connect: { enabled: false },
      ports: {
        ...(certificates ? { http: -1, https: http } : { http }),
        ...{ grpc: -1, dns: -1, serf_lan: serf, serf_wan: -1, server },
      },
      ...(persistent
        ? {
            server: true,
            bootstrap: true,
            data_dir: this.#memory?.path ?? this.dataFolder,
            performance: { raft_multiplier: 1 },
          }
        : {}),
      ...(acl ? { acl: { enabled: true, default_policy: 'deny', tokens } } : {}),
      ...security,
      ...config,
    };
  }
}

type Method = 'GET' | 'PUT' | 'DELETE';

const clients = 'sd clients';
const clientRules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';

/** In memory, where there is such a place: Consul waits for the disk with each registration, ten milliseconds and more. */
class MemoryFolder {
  readonly path = memoryFolder();
  readonly #forget = onProcessEnd(() => this.remove());

  empty(): void {
    if (this.path === undefined) return;
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(this.path);
  }

  remove(): void {
    if (this.path !== undefined) rmSync(this.path, { recursive: true, force: true, maxRetries: 10 });
    this.#forget();
  }
}

function memoryFolder(): string | undefined {
  try {
    return mkdtempSync('/dev/shm/sd-consul-');
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
