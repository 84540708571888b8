import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from './server-process.ts';
import { findPrometheus } from './store-binaries.ts';

/** What a query gave for one set of labels. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus that reads the metrics of one place every 200 ms. */
export class PrometheusServer extends ServerProcess {
  readonly #target: string;

  /** @param target of this machine, `127.0.0.1:9464`: its `/metrics` is read */
  static async start(target: string): Promise<PrometheusServer> {
    return new PrometheusServer(target).launch();
  }

  private constructor(target: string) {
    super('prometheus');
    this.#target = target;
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Evaluates an expression, now. @throws what Prometheus says is wrong with it */
  async query(expression: string): Promise<readonly PrometheusSeries[]> {
    const answer = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const reply = (await answer.json()) as QueryReply;
    if (reply.status === 'error') throw new Error(`Prometheus refused ${expression}: ${reply.error}`);
    return reply.data.result.map(({ metric, value: [, value] }) => ({
      labels: metric,
      value: Number(value),
    }));
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const file = join(this.folder, 'prometheus.yml');
    writeFileSync(file, this.#configuration());
    return [
      findPrometheus() ?? 'prometheus',
      ...[`--config.file=${file}`, `--storage.tsdb.path=${join(this.dataFolder, 'tsdb')}`],
      ...[`--web.listen-address=${this.host}:${this.port}`, '--log.level=warn'],
    ];
  }

  protected override async isReady(): Promise<boolean> {
    const config = await fetch(`${this.url}/api/v1/status/config`);
    if (!(await config.text()).includes(this.folder)) return false;
    return (await fetch(`${this.url}/-/ready`)).ok;
  }

  #configuration(): string {
    return `
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  external_labels: { server: '${this.folder}' }
scrape_configs:
  - job_name: sd
    static_configs: [{ targets: ['${this.#target}'] }]
`;
  }
}

type QueryReply =
  | { readonly status: 'error'; readonly error: string }
  | {
      readonly status: 'success';
      readonly data: {
        readonly result: readonly {
          readonly metric: Readonly<Record<string, string>>;
          readonly value: readonly [number, string];
        }[];
      };
    };
