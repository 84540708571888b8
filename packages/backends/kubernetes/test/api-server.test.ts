import { describe, expect, it } from 'vitest';
import type { KubernetesApi } from '../../../../tools/servers/index.ts';
import { endpoint, openApi, slice } from './open-backend.ts';
import { rawRequest, type RawAnswer } from './raw-request.ts';
import { recording, type Recording } from './recording.ts';

/** What the recorder had done before: the API server of these tests is told to be where that one was. */
type Past = (api: KubernetesApi) => void;

const at =
  (revision: number): Past =>
  (api) =>
    api.store.skip(revision - api.store.revision);
const empty = at(211);
const three: Past = (api) => {
  empty(api);
  for (const n of [1, 2, 3]) api.apply('demo', slice(n));
};
const compacted: Past = (api) => {
  three(api);
  at(265)(api);
  api.store.compact();
  at(268)(api);
};

/** Steps that the recorder took while a watch was open. */
const patched = (api: KubernetesApi, n: number, ready: boolean): void => {
  api.apply('demo', { ...slice(n), endpoints: [endpoint(n, 1, { ready }), endpoint(n, 2)] } as never);
};

const exchanges: readonly (readonly [string, Past])[] = [
  ['01', empty],
  ['02', three],
  ['03', three],
  ['04', three],
  ['05', three],
  ['10', at(226)],
  ['12', empty],
  ['13', empty],
  ['14', empty],
  ['15', empty],
  ['17', empty],
  ['18', at(232)],
  ['19', at(232)],
  ['24', compacted],
  ['26', compacted],
  ['27', compacted],
  ['38', (api) => (api.faults = { status: 429 })],
  [
    '07',
    (api) => {
      three(api);
      soon(
        () => patched(api, 1, false),
        () => patched(api, 1, true),
        () => api.delete('demo', 'web-3'),
        () => void api.apply('demo', slice(3)),
        () => {
          api.store.skip(1);
          api.apply('demo', slice(4));
        },
        () => api.delete('demo', 'web-4'),
      );
    },
  ],
  [
    '11',
    (api) => {
      three(api);
      at(228)(api);
      soon(
        () =>
          void api.apply('demo', {
            ...slice(3),
            metadata: { name: 'web-3', labels: { 'kubernetes.io/service-name': 'other' } },
          } as never),
        () => void api.apply('demo', slice(3)),
      );
    },
  ],
];

/** After the watch was opened, one after the other. */
function soon(...steps: readonly (() => void)[]): void {
  for (const [index, step] of steps.entries()) setTimeout(step, 200 + 50 * index);
}

/** No test waits for as long as the recorder did. */
const hurried = (path: string): string => path.replace(/timeoutSeconds=\d+/, 'timeoutSeconds=3');

describe('the API server of these tests answers as a real one', () => {
  it.each(exchanges)('%s', { timeout: 10_000 }, async (number, past) => {
    const recorded = recording(number);
    const api = await openApi();
    past(api);

    const answer = await rawRequest(api.port, hurried(recorded.path), recorded.requestHeaders);

    expect(essence(answer)).toEqual(essence(asAnswer(recorded)));
  });

  it('while etcd hangs, the cache is served, and all else is not answered', async () => {
    const api = await openApi();
    three(api);
    at(284)(api);
    api.faults = { hung: true };
    const recorded = recording('31');
    const answer = await rawRequest(api.port, recorded.path, recorded.requestHeaders);
    expect(answer.statusLine).toBe(recorded.head?.statusLine);
    expect(answer.chunks.map(({ length }) => length)[0]).toBe(recorded.chunks[0]?.bytes.length);
  });
});

const asAnswer = ({ head, chunks }: Recording): RawAnswer => ({
  statusLine: head?.statusLine ?? '',
  headers: head?.headers ?? [],
  chunks: chunks.map(({ bytes }) => bytes.toString()),
});

/** All but identities and times: status, headers in their order, what is in the body, and where its chunks end. */
function essence({ statusLine, headers, chunks }: RawAnswer) {
  const fixed = /^(Cache-Control|Content-Type|Content-Length|Transfer-Encoding|Retry-After|X-Content)/;
  return {
    statusLine,
    headers: headers.map(([name, value]) => (fixed.test(name) ? `${name}: ${value}` : name)),
    chunkSizes: chunks.map((chunk) => Buffer.byteLength(chunk)),
    body: chunks
      .join('')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
      .split('\n'),
  };
}
