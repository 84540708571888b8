import { seededRng } from '@sd/core';
import { KubernetesBackend } from '@sd/kubernetes';
import { silentLogger } from '@sd/testkit';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { holds, listOf, numberOf, parseJson } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** What the server does next: a change of a slice, noise in the stream, or a cut of it at some byte. */
type Step = readonly [kind: string, slice: number, detail: number];

/**
 * A stream of changes that is cut anywhere, doubled, mixed with garbage and with the end of history: what is known in
 * the end is what there is.
 */
export const kubernetesWatch: FuzzTarget = {
  name: 'kubernetes-watch',
  format: 'json',
  seeds: [
    '[["put",1,2],["cut",0,40],["put",2,1],["delete",1,0],["cut",0,3]]',
    '[["put",1,1],["bookmark",0,0],["cut",0,0],["put",1,3],["garbage",0,1],["put",1,2]]',
    '[["put",1,1],["gone",0,0],["put",2,1],["twice",2,1],["blank",0,0],["cut",0,500],["put",3,1]]',
  ],
  words: ['put', 'delete', 'cut', 'bookmark', 'garbage', 'gone', 'twice', 'blank', 'old'],
  testRuns: 25,
  async run(input) {
    const steps = listOf(parseJson(input))
      .slice(0, 30)
      .map(stepOf)
      .filter((step) => step !== undefined);
    const server = new ScriptedServer(steps);
    const url = await server.listen();
    const backend = new KubernetesBackend({
      url,
      namespace: 'demo',
      token: 'x',
      logger: silentLogger,
      rng: seededRng(1),
      clock: eagerClock,
    });
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), 8_000);
    try {
      let last = '';
      for await (const instances of backend.watch('web', { signal: over.signal })) {
        last = instances
          .map(({ host }) => host)
          .sort()
          .join();
        if (server.isPlayed && last === server.hosts) break;
      }
      holds(last === server.hosts, `there is "${server.hosts}", and what is known is "${last}"`);
    } finally {
      clearTimeout(timer);
      over.abort();
      await backend.close();
      await server.close();
    }
  },
};

/** Pauses are not what is looked at. */
const eagerClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback: () => void, delayMs: number) {
    const timer = setTimeout(callback, delayMs < 2_500 ? 0 : delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function stepOf(value: unknown): Step | undefined {
  const [kind, slice, detail] = listOf(value);
  if (typeof kind !== 'string') return undefined;
  return [kind, numberOf(slice) % 4, numberOf(detail) % 1_000];
}

class ScriptedServer {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #steps: Step[];
  readonly #slices = new Map<number, object>([[0, sliceOf(0, 1, 1)]]);
  /** Lines of the watch, with the revision after each. */
  readonly #log: { readonly revision: number; readonly line: string }[] = [];
  #revision = 1;
  #oldest = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = [...steps];
  }

  get isPlayed(): boolean {
    return this.#steps.length === 0;
  }

  get hosts(): string {
    const endpoints = [...this.#slices.values()].flatMap(
      (slice) => (slice as ReturnType<typeof sliceOf>).endpoints,
    );
    return endpoints
      .map(({ addresses }) => addresses[0])
      .sort()
      .join();
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? '', 'http://a').searchParams;
    response.setHeader('content-type', 'application/json');
    if (query.get('watch') === null) {
      const metadata = { resourceVersion: String(this.#revision) };
      response.end(
        JSON.stringify({ kind: 'EndpointSliceList', metadata, items: [...this.#slices.values()] }),
      );
      return;
    }
    const from = Number(query.get('resourceVersion'));
    if (from < this.#oldest) {
      response.end(`${errorLine}\n`);
      return;
    }
    response.flushHeaders();
    for (const { revision, line } of this.#log) if (revision > from) response.write(`${line}\n`);
    this.#play(response);
  }

  /** Until the stream is cut, or nothing is left to do. */
  #play(response: ServerResponse): void {
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      const [kind, n, detail] = step;
      const before = this.#log.length;
      this.#change(kind, n, detail);
      const lines = this.#log.slice(before).map(({ line }) => `${line}\n`);
      const text = lines.join('') + noiseOf(kind, this.#revision);
      // What happens is in the store before anybody is told.
      if (kind === 'cut') this.#change('put', n, detail % 5);
      const whole =
        kind === 'cut'
          ? `${this.#log.at(-1)?.line ?? ''}\n`.slice(0, detail)
          : text.repeat(kind === 'twice' ? 2 : 1);
      response.write(whole);
      if (kind === 'cut' || kind === 'gone') {
        if (detail % 2 === 0) response.end();
        else setImmediate(() => response.destroy());
        return;
      }
    }
  }

  #change(kind: string, n: number, detail: number): void {
    if (kind === 'put' || kind === 'twice') {
      this.#revision += 1;
      const type = this.#slices.has(n) ? 'MODIFIED' : 'ADDED';
      const object = sliceOf(n, this.#revision, 1 + (detail % 5));
      this.#slices.set(n, object);
      this.#log.push({ revision: this.#revision, line: JSON.stringify({ type, object }) });
    } else if (kind === 'delete' && this.#slices.has(n)) {
      this.#revision += 1;
      this.#slices.delete(n);
      this.#log.push({
        revision: this.#revision,
        line: JSON.stringify({ type: 'DELETED', object: sliceOf(n, this.#revision, 1) }),
      });
    } else if (kind === 'gone') this.#oldest = this.#revision + 1;
    if (kind === 'gone') this.#revision += 1;
  }
}

const errorLine = JSON.stringify({
  type: 'ERROR',
  object: { kind: 'Status', code: 410, message: 'too old' },
});

function noiseOf(kind: string, revision: number): string {
  if (kind === 'garbage') return '{"type":"ADD\n';
  if (kind === 'blank') return '\n\n';
  if (kind === 'gone') return `${errorLine}\n`;
  if (kind === 'bookmark')
    return `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(revision) } } })}\n`;
  return '';
}

function sliceOf(n: number, revision: number, endpoints: number) {
  return {
    metadata: {
      namespace: 'demo',
      name: `web-${n}`,
      resourceVersion: String(revision),
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: 'IPv4',
    endpoints: Array.from({ length: endpoints }, (_, index) => ({
      addresses: [`10.${n}.${revision % 250}.${index + 1}`],
    })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  };
}
