import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificates, type Certificates } from './certificates.ts';
import { ServerProcess } from './server-process.ts';

export interface KubernetesServerOptions {
  /** Serves TLS alone, with a certificate for 127.0.0.1 and localhost; `expired` makes it one of the past. Default: false. */
  readonly tls?: boolean | 'expired';
  /** Milliseconds from one bookmark of a watch to the next. Default: 60,000. */
  readonly bookmarkMs?: number;
}

/** `KubernetesApi` as a process of its own, which can be killed, frozen and started again with or without its data. */
export class KubernetesServer extends ServerProcess {
  /** Those of the tokens that `KubernetesApi` begins with. */
  readonly readerToken = 'readertoken';
  readonly adminToken = 'admintoken';
  readonly #options: KubernetesServerOptions;
  readonly #certificates: Certificates | undefined;
  readonly #agents = { plain: new Agent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true }) };

  static async start(options: KubernetesServerOptions = {}): Promise<KubernetesServer> {
    return new KubernetesServer(options).launch();
  }

  private constructor(options: KubernetesServerOptions) {
    super('Kubernetes API');
    this.#options = options;
    const { tls = false } = options;
    this.#certificates =
      tls === false ? undefined : makeCertificates(this.folder, { expired: tls === 'expired' });
  }

  get url(): string {
    return `${this.#certificates === undefined ? 'http' : 'https'}://${this.host}:${this.port}`;
  }

  /** The certificate (PEM) of the authority that a client has to trust; `undefined` without TLS. */
  get ca(): string | undefined {
    return this.#certificates?.ca;
  }

  /** One request as an administrator. @throws when the answer is not 2xx */
  async command(method: string, path: string, body?: unknown): Promise<unknown> {
    const isPlain = this.#certificates === undefined;
    const [send, agent] = isPlain ? [request, this.#agents.plain] : [requestTls, this.#agents.tls];
    return new Promise((resolve, reject) => {
      const patch = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const headers = { Authorization: `Bearer ${this.adminToken}`, 'Content-Type': patch };
      // Not verified: tests verify with their own client.
      const options = { method, headers, agent, rejectUnauthorized: false, timeout: 5_000 } as const;
      const sent = send(new URL(path, this.url), options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = response;
          if (statusCode >= 300) return reject(new Error(`${method} ${path}: ${statusCode} ${text}`));
          resolve(text.startsWith('{') ? JSON.parse(text) : text);
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  override async stop(): Promise<void> {
    this.#agents.plain.destroy();
    this.#agents.tls.destroy();
    await super.stop();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const files = this.#certificates?.files;
    const options = {
      port: this.port,
      file: join(this.dataFolder, 'changes.jsonl'),
      bookmarkMs: this.#options.bookmarkMs,
      tls: files && {
        cert: readFileSync(files.certificate, 'utf8'),
        key: readFileSync(files.key, 'utf8'),
        ca: readFileSync(files.ca, 'utf8'),
      },
    };
    const program = fileURLToPath(new URL('kubernetes-api.program.ts', import.meta.url));
    return [process.execPath, '--import', tsx, program, JSON.stringify(options)];
  }

  protected override async isReady(): Promise<boolean> {
    return (await this.command('GET', '/-/pid')) === String(this.pid);
  }
}

/** The process runs in a folder from which it would not be found. */
const tsx = import.meta.resolve('tsx');

export { KubernetesApi } from './kubernetes-api.ts';
