import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { makeCertificates, type Certificates } from './certificates.ts';
import { ServerProcess } from './server-process.ts';
import { findEtcd } from './store-binaries.ts';
import type { StartOptions } from './test-server.ts';

export interface EtcdServerOptions {
  /** Serves TLS alone, with a certificate for 127.0.0.1 and localhost; `expired` makes it one of the past. Default: false. */
  readonly tls?: boolean | 'expired';
  /** Clients must show a certificate of the same authority; its own is one. Default: false. */
  readonly clientCertificates?: boolean;
  /** Clients must be one of these, or root. Default: everybody may do everything. */
  readonly users?: readonly EtcdUser[];
  /** Tokens are JWTs that are valid for so many seconds; by default simple ones, which live on while they are used. */
  readonly tokenSeconds?: number;
  /** When its database has that size, it takes nothing more. Default: that of etcd. */
  readonly quotaBytes?: number;
  /** Default: `findEtcd()`. */
  readonly binary?: string;
}

export interface EtcdUser {
  readonly name: string;
  readonly password: string;
  /** What its role, which is called as it is, may read and write. */
  readonly prefix: string;
}

const root = { name: 'root', password: 'root' };

/** Commands go through its JSON gateway, as root where there are users. */
export class EtcdServer extends ServerProcess {
  readonly #binary: string;
  readonly #options: EtcdServerOptions;
  readonly #certificates: Certificates | undefined;
  #token: string | undefined;

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    return new EtcdServer(options).launch();
  }

  protected constructor(options: EtcdServerOptions) {
    super('etcd', 2);
    this.#options = options;
    this.#binary = options.binary ?? findEtcd() ?? 'etcd';
    const { tls = false, tokenSeconds } = options;
    this.#certificates =
      tls === false ? undefined : makeCertificates(this.folder, { expired: tls === 'expired' });
    if (tokenSeconds === undefined) return;
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    writeFileSync(this.#jwtFile('pub-key'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(this.#jwtFile('priv-key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  }

  get url(): string {
    return `${this.tls ? 'https' : 'http'}://${this.host}:${this.port}`;
  }

  /** The certificate (PEM) of the authority that a client has to trust; `undefined` without TLS. */
  get tls(): Certificates | undefined {
    return this.#certificates;
  }

  override async start(options?: StartOptions): Promise<void> {
    await super.start(options);
    this.#token = undefined;
    await this.afterStart();
  }

  protected async afterStart(): Promise<void> {
    await this.requireUsers();
  }

  /** From now on clients must be one of the users, if there are some. Idempotent. */
  async requireUsers(): Promise<void> {
    const { users = [] } = this.#options;
    if (users.length > 0) await this.#requireUsers(users);
  }

  /**
   * Calls the JSON gateway: `call('kv/put', { key: base64('a'), value: base64('b') })`.
   * @throws the error that etcd replies
   */
  async call(path: string, body: object = {}): Promise<EtcdReply> {
    try {
      return await this.#post(path, body, this.#token);
    } catch (error) {
      if (!/user name is empty|invalid auth token|old/.test(String(error))) throw error;
      const { token } = await this.#post('auth/authenticate', root);
      this.#token = String(token);
      return this.#post(path, body, this.#token);
    }
  }

  async put(key: string, value: string, lease?: string): Promise<void> {
    await this.call('kv/put', { key: base64(key), value: base64(value), ...(lease && { lease }) });
  }

  async delete(key: string): Promise<void> {
    await this.call('kv/deleterange', { key: base64(key) });
  }

  /** All keys that begin with this. */
  async entries(prefix: string): Promise<readonly EtcdEntry[]> {
    const { kvs } = await this.call('kv/range', prefixRange(prefix));
    return Array.isArray(kvs) ? kvs.map(entryOf) : [];
  }

  async revision(): Promise<number> {
    const { header } = await this.call('kv/range', { key: base64('none') });
    return Number(Reflect.get(Object(header), 'revision'));
  }

  /** Forgets all that has been before. */
  async compact(): Promise<void> {
    await this.call('kv/compaction', { revision: String(await this.revision()), physical: true });
  }

  /** Sums of its metrics, by the name and a part of the labels: `grpc_method="Range"`. */
  async metric(name: string, labels = ''): Promise<number> {
    const metrics = await this.#send('GET', '/metrics');
    return metrics
      .split('\n')
      .filter((line) => line.startsWith(name) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  protected peers(): { readonly name: string; readonly cluster: string } {
    return { name: 'one', cluster: `one=${this.peerUrl}` };
  }

  protected get peerUrl(): string {
    return `http://${this.host}:${this.ports[1]}`;
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const { quotaBytes, tokenSeconds, clientCertificates = false } = this.#options;
    const { name, cluster } = this.peers();
    return [
      this.#binary,
      ...['--name', name, '--data-dir', join(this.dataFolder, 'etcd'), '--logger', 'zap'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
      ...['--initial-cluster', cluster, '--bcrypt-cost', '4', '--log-level', 'error'],
      ...[
        '--heartbeat-interval',
        String(this.electionMs / 10),
        '--election-timeout',
        String(this.electionMs),
      ],
      ...(quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)]),
      ...(tokenSeconds === undefined ? [] : ['--auth-token', this.#jwt(tokenSeconds)]),
      ...(this.#certificates ? tlsArguments(this.#certificates, clientCertificates) : []),
    ];
  }

  /** In milliseconds; leases of a second need short ones. */
  protected get electionMs(): number {
    return 100;
  }

  protected override async isReady(): Promise<boolean> {
    const own = await this.#send('GET', '/debug/vars');
    if (!own.includes(JSON.stringify(this.dataFolder).slice(1, -1))) return false;
    return (await this.#send('GET', '/health')).includes('true');
  }

  async #requireUsers(users: readonly EtcdUser[]): Promise<void> {
    const isRequired = await this.#post('kv/range', { key: base64('none') }).then(
      () => false,
      () => true,
    );
    if (isRequired) return;
    await this.#post('auth/user/add', root);
    await this.#post('auth/role/add', { name: 'root' }).catch(() => undefined); // some versions have it already
    await this.#post('auth/user/grant', { user: 'root', role: 'root' });
    for (const { name, password, prefix } of users) {
      await this.#post('auth/role/add', { name });
      await this.#post('auth/role/grant', {
        name,
        perm: { permType: 'READWRITE', ...prefixRange(prefix) },
      });
      await this.#post('auth/user/add', { name, password });
      await this.#post('auth/user/grant', { user: name, role: name });
    }
    await this.#post('auth/enable', {});
  }

  async #post(path: string, body: object, token?: string): Promise<EtcdReply> {
    const reply = await this.#send('POST', `/v3/${path}`, JSON.stringify(body), token);
    const answer = JSON.parse(reply) as EtcdReply;
    if (!('code' in answer)) return answer;
    throw new Error(`etcd answered ${path}: ${JSON.stringify(answer.message)}`);
  }

  async #send(method: string, path: string, body?: string, token?: string): Promise<string> {
    const headers = token === undefined ? {} : { authorization: token };
    // Not verified: tests verify with their own client.
    const own = this.#certificates?.files;
    const pair = own && { cert: readFileSync(own.certificate), key: readFileSync(own.key) };
    const options = { method, headers, agent: false, timeout: 5_000, rejectUnauthorized: false, ...pair };
    const request = (this.tls ? requestTls : requestPlain)(`${this.url}${path}`, options);
    request.end(body);
    return new Promise((resolve, reject) => {
      request.on('error', reject);
      request.on('timeout', () => request.destroy(new Error(`etcd did not answer ${path}`)));
      request.on('response', (response) => void text(response).then(resolve, reject));
    });
  }

  #jwt(seconds: number): string {
    const [publicKey, privateKey] = [this.#jwtFile('pub-key'), this.#jwtFile('priv-key')];
    return `jwt,pub-key=${publicKey},priv-key=${privateKey},sign-method=RS256,ttl=${seconds}s`;
  }

  #jwtFile(name: string): string {
    return join(this.folder, `${name}.pem`);
  }
}

export type EtcdReply = Readonly<Record<string, unknown>>;

export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  /** `0` for a key without a lease. */
  readonly lease: string;
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** All keys that begin with this. */
export function prefixRange(prefix: string): { readonly key: string; readonly range_end: string } {
  if (prefix === '') return { key: base64('\0'), range_end: base64('\0') };
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: base64(prefix), range_end: end.toString('base64') };
}

function entryOf(kv: unknown): EtcdEntry {
  const { key = '', value = '', lease = '0' } = kv as Readonly<Record<string, string>>;
  const plain = (text: string): string => Buffer.from(text, 'base64').toString();
  return { key: plain(key), value: plain(value), lease };
}

function tlsArguments({ files }: Certificates, clientCertificates: boolean): readonly string[] {
  const own = ['--cert-file', files.certificate, '--key-file', files.key];
  return clientCertificates ? [...own, '--client-cert-auth', '--trusted-ca-file', files.ca] : own;
}
