import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { makeCertificates, type Certificates } from './certificates.ts';
import { ServerProcess } from './server-process.ts';

/** The folder of a real kube-apiserver and its etcd, as `setup-envtest` installs them. */
export const envtestAssets = (env = process.env): string | undefined => env.KUBEBUILDER_ASSETS;

/** An API server that a kubeconfig leads to. */
export const externalKubeconfig = (env = process.env): string | undefined =>
  env.SD_TEST_KUBECONFIG ?? env.KUBECONFIG;

/** The etcd of a real API server. */
export class EnvtestEtcd extends ServerProcess {
  readonly #assets: string;

  static async start(assets: string): Promise<EnvtestEtcd> {
    return new EnvtestEtcd(assets).launch();
  }

  private constructor(assets: string) {
    super('etcd', 2);
    this.#assets = assets;
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const peer = `http://${this.host}:${this.ports[1] ?? 0}`;
    return [
      join(this.#assets, 'etcd'),
      ...['--name', this.folder, '--data-dir', this.dataFolder, '--unsafe-no-fsync'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `${this.folder}=${peer}`],
    ];
  }

  protected override async isReady(): Promise<boolean> {
    const health = await fetch(`${this.url}/health`);
    return (await health.text()).includes('"true"');
  }
}

/** A real API server over an etcd of its own, with the users `admin` and `reader`. */
export class EnvtestServer extends ServerProcess {
  readonly adminToken = 'admintoken';
  readonly readerToken = 'readertoken';
  readonly #assets: string;
  readonly #etcd: EnvtestEtcd;
  readonly #certificates: Certificates;

  static async start(assets: string): Promise<EnvtestServer> {
    const etcd = await EnvtestEtcd.start(assets);
    return new EnvtestServer(assets, etcd).launch();
  }

  private constructor(assets: string, etcd: EnvtestEtcd) {
    super('kube-apiserver');
    this.#assets = assets;
    this.#etcd = etcd;
    this.#certificates = makeCertificates(this.folder);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    writeFileSync(this.#accountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }));
    const users = [`${this.adminToken},admin,1,"system:masters"`, `${this.readerToken},reader,2`];
    writeFileSync(this.#tokens, `${users.join('\n')}\n`);
  }

  get url(): string {
    return `https://${this.host}:${this.port}`;
  }

  get ca(): string {
    return this.#certificates.ca;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.#etcd.stop();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const { files } = this.#certificates;
    return [
      join(this.#assets, 'kube-apiserver'),
      ...['--bind-address', this.host, '--secure-port', String(this.port), '--etcd-servers', this.#etcd.url],
      ...['--tls-cert-file', files.certificate, '--tls-private-key-file', files.key],
      ...['--token-auth-file', this.#tokens, '--authorization-mode', 'RBAC', '--anonymous-auth=false'],
      ...[
        '--service-account-key-file',
        this.#accountKey,
        '--service-account-signing-key-file',
        this.#accountKey,
      ],
      ...['--service-account-issuer', this.url, '--service-cluster-ip-range', '10.0.0.0/24'],
      ...['--disable-admission-plugins', 'ServiceAccount', '--cert-dir', this.dataFolder],
    ];
  }

  protected override isReady(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${this.adminToken}` };
      const sent = request(`${this.url}/readyz`, { ca: this.ca, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  get #accountKey(): string {
    return join(this.folder, 'service-account.key');
  }

  get #tokens(): string {
    return join(this.folder, 'tokens.csv');
  }
}
