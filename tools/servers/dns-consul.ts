import { randomUUID } from 'node:crypto';
import { ServerProcess } from './server-process.ts';
import { findConsul } from './store-binaries.ts';

/** A Consul agent with its DNS interface. It keeps no data. */
export class ConsulDnsServer extends ServerProcess {
  readonly #node = `node-${randomUUID()}`;

  static async start(): Promise<ConsulDnsServer> {
    return new ConsulDnsServer('Consul', 5).launch();
  }

  /** For the option `servers`. */
  get address(): string {
    return `${this.host}:${this.dnsPort}`;
  }

  get dnsPort(): number {
    return this.ports[1] ?? 0;
  }

  async register(service: string, id: string, host: string, port: number): Promise<void> {
    await this.#call('PUT', 'agent/service/register', { ID: id, Name: service, Address: host, Port: port });
  }

  async deregister(id: string): Promise<void> {
    await this.#call('PUT', `agent/service/deregister/${id}`);
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const [http, dns, lan, wan, server] = this.ports;
    return [
      findConsul() ?? 'consul',
      ...['agent', '-dev', '-client', this.host, '-bind', this.host, '-node', this.#node],
      ...['-http-port', String(http), '-dns-port', String(dns), '-grpc-port', '-1', '-log-level', 'warn'],
      ...['-serf-lan-port', String(lan), '-serf-wan-port', String(wan), '-server-port', String(server)],
    ];
  }

  protected override async isReady(): Promise<boolean> {
    return (await this.#call('GET', 'catalog/nodes')).includes(this.#node);
  }

  async #call(method: string, path: string, body?: object): Promise<string> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`http://${this.host}:${this.port}/v1/${path}`, { method, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`Consul answers ${response.status}: ${text}`);
    return text;
  }
}
