import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeCertificates, type Certificates } from './certificates.ts';
import { ServerProcess } from './server-process.ts';
import { findZooKeeper } from './store-binaries.ts';

export interface ZooKeeperServerOptions {
  /**
   * Serves TLS as well, on `securePort`, with a certificate for 127.0.0.1 and localhost; `expired` makes it one of the
   * past. Default: false.
   */
  readonly tls?: boolean | 'expired';
  /** Sessions expire at multiples of it, in milliseconds. Default: 100. */
  readonly tickTimeMs?: number;
  /** More lines of its configuration. Default: none. */
  readonly config?: readonly string[];
}

/** Who may do everything, whatever an ACL says: `digest` credentials. */
export const superUser = 'super:secret';

/** A node of ZooKeeper that stands alone, or is `member` of an ensemble. */
export class ZooKeeperServer extends ServerProcess {
  readonly #options: ZooKeeperServerOptions;
  readonly #certificates: Certificates | undefined;

  static async start(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
    return new ZooKeeperServer(options).launch();
  }

  protected constructor(options: ZooKeeperServerOptions) {
    super('ZooKeeper', 2);
    this.#options = options;
    const { tls = false } = options;
    this.#certificates =
      tls === false ? undefined : makeCertificates(this.folder, { expired: tls === 'expired' });
  }

  get securePort(): number {
    return this.ports[1] ?? 0;
  }

  /** The certificate (PEM) of the authority that a client has to trust; `undefined` without TLS. */
  get tls(): { readonly ca: string } | undefined {
    return this.#certificates && { ca: this.#certificates.ca };
  }

  /** What it answers to a word of four letters: `srvr`, `dump`, `cons`, `wchs` … */
  async ask(word: string): Promise<string> {
    const socket = connect(this.port, this.host);
    // One that is just starting may take the word and never answer.
    socket.setTimeout(500, () => socket.destroy(new Error('no answer')));
    try {
      await once(socket, 'connect');
      socket.write(word);
      return await text(socket);
    } finally {
      socket.destroy();
    }
  }

  /** `standalone`, `leader` or `follower`; undefined while it does not serve. */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\w+)/m.exec(await this.ask('srvr'))?.[1];
  }

  /** Lines that make it one of an ensemble. */
  protected memberLines(): readonly string[] {
    return [];
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const { tickTimeMs = 100, config = [] } = this.#options;
    const file = join(this.folder, 'zoo.cfg');
    const lines = [
      `dataDir=${this.dataFolder}`,
      `clientPort=${this.port}`,
      `clientPortAddress=${this.host}`,
      `tickTime=${tickTimeMs}`,
      `minSessionTimeout=${2 * tickTimeMs}`,
      'maxSessionTimeout=120000',
      'maxClientCnxns=0',
      'admin.enableServer=false',
      '4lw.commands.whitelist=*',
      'forceSync=no',
      'preAllocSize=1024',
      ...this.#tlsLines(),
      ...this.memberLines(),
      ...config,
    ];
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    const digest = createHash('sha1').update(superUser).digest('base64');
    const flags = [
      '-Xms24m',
      '-Xmx96m',
      '-Dzookeeper.extendedTypesEnabled=true',
      '-Dznode.container.checkIntervalMs=1000',
      `-Dzookeeper.DigestAuthenticationProvider.superDigest=super:${digest}`,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    ];
    return ['env', `JVMFLAGS=${flags.join(' ')}`, findZooKeeper() ?? 'zookeeper', file];
  }

  protected override async isReady(): Promise<boolean> {
    // Before it serves, it never answers `conf`.
    if ((await this.mode()) === undefined) return false;
    const configuration = await this.ask('conf');
    return configuration.includes(this.dataFolder);
  }

  #tlsLines(): readonly string[] {
    if (this.#certificates === undefined) return [];
    const { certificate, key, ca } = this.#certificates.files;
    const both = join(this.folder, 'server.pem');
    writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
    return [
      'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
      `secureClientPort=${this.securePort}`,
      `secureClientPortAddress=${this.host}`,
      `ssl.keyStore.location=${both}`,
      'ssl.keyStore.type=PEM',
      `ssl.trustStore.location=${ca}`,
      'ssl.trustStore.type=PEM',
      'ssl.clientAuth=want',
    ];
  }
}
