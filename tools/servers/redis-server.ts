import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { makeCertificates, type Certificates } from './certificates.ts';
import { findRedisServer } from './redis-binaries.ts';
import { exchange, type Command } from './resp.ts';
import { ServerProcess } from './server-process.ts';

export interface RedisServerOptions {
  /** Serves TLS alone, with a certificate for 127.0.0.1 and localhost; `expired` makes it one of the past. Default: false. */
  readonly tls?: boolean | 'expired';
  /** Clients must authenticate with it. Default: none. */
  readonly password?: string;
  /** Whether a killed server finds its data again. Default: true. */
  readonly persistent?: boolean;
  /** More arguments: `['--maxmemory', '2mb']`. Default: none. */
  readonly config?: readonly string[];
  /** Lines of its configuration file: users and what else Redis may rewrite by itself. Default: none. */
  readonly configFile?: readonly string[];
  /** The redis-server or valkey-server to run. Default: `findRedisServer()`. */
  readonly binary?: string;
}

export class RedisServer extends ServerProcess {
  readonly #binary: string;
  readonly #options: RedisServerOptions;
  readonly #certificates: Certificates | undefined;

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    return new RedisServer(options).launch();
  }

  protected constructor(options: RedisServerOptions, portCount = 1) {
    super('Redis', portCount);
    this.#options = options;
    this.#binary = options.binary ?? findRedisServer() ?? 'redis-server';
    const { tls = false } = options;
    this.#certificates =
      tls === false ? undefined : makeCertificates(this.folder, { expired: tls === 'expired' });
    this.writeConfigFile([]);
  }

  get url(): string {
    const { password } = this.#options;
    const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
    return `${this.tls ? 'rediss' : 'redis'}://${login}${this.host}:${this.port}`;
  }

  /** The certificate (PEM) of the authority that a client has to trust; `undefined` without TLS. */
  get tls(): { readonly ca: string } | undefined {
    return this.#certificates && { ca: this.#certificates.ca };
  }

  /**
   * The reply to one command, over a connection of its own.
   * @throws the error that Redis replies
   */
  async command(...args: Command): Promise<unknown> {
    const { host, port, tls } = this;
    const { password } = this.#options;
    // Not verified: tests verify with their own client.
    const socket = tls ? connectTls({ host, port, rejectUnauthorized: false }) : connect({ host, port });
    const login = password === undefined ? [] : [['AUTH', password]];
    const replies = await exchange(socket, [...login, args]);
    const error = replies.find((reply) => reply instanceof Error);
    if (error) throw error;
    return replies.at(-1);
  }

  /** The fields of INFO. */
  async info(...sections: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return fields(await this.command('INFO', ...sections));
  }

  /** For what Redis itself may change with CONFIG REWRITE; arguments would bring the old value back at the next start. */
  protected writeConfigFile(lines: readonly string[]): void {
    const all = [...(this.#options.configFile ?? []), ...lines];
    writeFileSync(this.#configFile, all.map((line) => `${line}\n`).join(''));
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const { password, persistent = true, config = [] } = this.#options;
    const certificates = this.#certificates;
    return [
      this.#binary,
      this.#configFile,
      ...['--bind', this.host, '--dir', this.dataFolder, '--daemonize', 'no'],
      ...['--save', '', '--appendonly', persistent ? 'yes' : 'no', '--appendfsync', 'everysec'],
      ...['--port', certificates ? '0' : String(this.port)],
      ...(certificates ? tlsArguments(this.port, certificates) : []),
      ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
      ...config,
    ];
  }

  protected override async isReady(): Promise<boolean> {
    const info = await this.info();
    return info.get('process_id') === String(this.pid) && info.get('loading') !== '1';
  }

  get #configFile(): string {
    return join(this.folder, 'redis.conf');
  }
}

/** `name:value` lines, as INFO and CLUSTER INFO reply them. */
export function fields(reply: unknown): ReadonlyMap<string, string> {
  const lines = String(reply)
    .split('\r\n')
    .map((line) => /^(\w+):(.*)$/.exec(line));
  return new Map(lines.flatMap((match) => (match ? [[match[1] ?? '', match[2] ?? '']] : [])));
}

function tlsArguments(port: number, { files }: Certificates): readonly string[] {
  return [
    ...['--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', files.certificate, '--tls-key-file', files.key, '--tls-ca-cert-file', files.ca],
  ];
}
