import { randomUUID } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { userInfo } from 'node:os';
import { ServerProcess } from './server-process.ts';
import { findDnsmasq } from './store-binaries.ts';

/** A dnsmasq that serves the records of its arguments and asks nobody else. */
export class DnsmasqServer extends ServerProcess {
  readonly #token = randomUUID();
  #records: readonly string[];

  /** @param records `--srv-host=_orders._tcp.test,web-1.test,8080`, `--host-record=web-1.test,10.0.0.1` … */
  static async start(records: readonly string[]): Promise<DnsmasqServer> {
    return new DnsmasqServer(records).launch();
  }

  private constructor(records: readonly string[]) {
    super('dnsmasq');
    this.#records = records;
  }

  /** For the option `servers`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** It reads SRV records only when it starts. */
  async serve(records: readonly string[]): Promise<void> {
    this.#records = records;
    await this.restart({ keepData: true });
  }

  protected override commandLine(): readonly [string, ...string[]] {
    return [
      findDnsmasq() ?? 'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--pid-file', '--log-facility=-'],
      // As root it would become somebody else.
      `--user=${userInfo().username}`,
      ...[`--port=${this.port}`, `--listen-address=${this.host}`, '--bind-interfaces'],
      ...['--no-resolv', '--no-hosts', '--local=/test/'],
      `--txt-record=token.test,${this.#token}`,
      ...this.#records,
    ];
  }

  protected override async isReady(): Promise<boolean> {
    const resolver = new Resolver({ timeout: 1_000, tries: 1 });
    resolver.setServers([this.address]);
    return (await resolver.resolveTxt('token.test')).flat().includes(this.#token);
  }
}
