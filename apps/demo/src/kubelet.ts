import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { conditionsOf, runLabel, SliceApi, type Slice, type SliceApiOptions } from './slices.ts';

const periodMs = 200;
const removedAfterMs = 1_500;

/**
 * Asks the instances of a run whether they are there, as a cluster does by readiness probes: one that is not is made
 * not ready, and removed when it stays away.
 */
export class Kubelet implements AsyncDisposable {
  readonly #api: SliceApi;
  readonly #run: string;
  readonly #over = new AbortController();
  /** By slice: since when it has not answered. */
  readonly #away = new Map<string, number>();
  readonly #probing: Promise<void>;

  constructor(options: SliceApiOptions, run: string) {
    this.#api = new SliceApi(options);
    this.#run = run;
    this.#probing = this.#probe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#probing;
    // What died last was not removed yet.
    const slices = await this.#api.list(`${runLabel}=${this.#run}`).catch(() => []);
    await Promise.allSettled(slices.map(({ metadata }) => this.#api.delete(metadata.name)));
  }

  async #probe(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        const slices = await this.#api.list(`${runLabel}=${this.#run}`);
        await Promise.all(slices.map((slice) => this.#look(slice)));
      } catch {
        // The API server is away: the next round looks again.
      }
      await wait(periodMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look({ metadata: { name }, endpoints: [endpoint], ports: [port] }: Slice): Promise<void> {
    if (endpoint === undefined || port === undefined) return;
    if (await answers(endpoint.addresses[0] ?? '', port.port)) {
      this.#away.delete(name);
      return;
    }
    const since = this.#away.get(name) ?? performance.now();
    this.#away.set(name, since);
    const { ready } = endpoint.conditions;
    if (performance.now() - since > removedAfterMs) await this.#api.delete(name);
    else if (ready)
      await this.#api.change(name, { endpoints: [{ ...endpoint, conditions: conditionsOf('unhealthy') }] });
  }
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => end(true));
    socket.on('timeout', () => end(false));
    socket.on('error', () => end(false));
  });
}
