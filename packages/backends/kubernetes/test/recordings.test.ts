import { describe, expect, it } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, type ServiceInstance } from '@sd/core';
import { eventually } from '@sd/testkit';
import { hosts, ids, openBackend, openWatch } from './open-backend.ts';
import { replay } from './replay-server.ts';

const six = [1, 2, 3].flatMap((n) => [`10.1.${n}.1`, `10.1.${n}.2`]);

const readyOf = (instances: readonly ServiceInstance[]): readonly string[] =>
  hosts(instances.filter(({ status }) => status === 'healthy'));

describe('answers of a real API server', () => {
  it.each(['02', '05'])('a list in two chunks (%s)', async (number) => {
    const { url } = await replay([number]);
    const instances = await openBackend({ url }).getInstances('web');
    expect(hosts(instances)).toEqual(six);
    expect(instances[0]).toEqual({
      service: 'web',
      id: 'web-1-1-8080',
      host: '10.1.1.1',
      port: 8080,
      protocol: 'http',
      weight: 1,
      priority: 0,
      tags: [],
      zone: 'z1',
      status: 'healthy',
      metadata: { namespace: 'demo', portName: 'http', pod: 'web-1-1', node: 'n1' },
      registeredAt: 0,
      updatedAt: 0,
    });
  });

  it('an empty list', async () => {
    const { url } = await replay(['01']);
    expect(await openBackend({ url }).getInstances('web')).toEqual([]);
  });

  it('a list of two pages', async () => {
    const { url, requests } = await replay(['03', '04']);
    expect(hosts(await openBackend({ url }).getInstances('web'))).toEqual(six);
    expect(requests[1]).toContain(
      'continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjE0LCJzdGFydCI6Ii93ZWItMlx1MDAwMCJ9',
    );
  });

  it.each(['24'])('a list whose continuation expired begins anew (%s)', async (number) => {
    const { url, requests } = await replay(['22', number, '02']);
    expect(hosts(await openBackend({ url }).getInstances('web'))).toEqual(six);
    expect(requests[2]).not.toContain('continue');
  });

  it('a list that is compressed', async () => {
    const { url, requests } = await replay(['39']);
    const services = await openBackend({ url }).listServices();
    expect(services.length).toBeGreaterThan(0);
    expect(requests[0]).toContain('Accept-Encoding: gzip');
  });

  const inPieces = { whole: undefined, 'byte by byte': 1, 'in pieces of 1000 bytes': 1_000 };
  it.each(Object.entries(inPieces))(
    'a watch with all kinds of events, %s',
    { timeout: 20_000 },
    async (_, size) => {
      const split = (chunk: Buffer): Buffer[] => {
        const length = size ?? chunk.length;
        return Array.from({ length: Math.ceil(chunk.length / length) }, (_, index) =>
          chunk.subarray(index * length, (index + 1) * length),
        );
      };
      const { url, requests } = await replay(['01', '07', '22', '10'], split);
      const watch = await openWatch(openBackend({ url }));
      expect(watch.snapshots[0]?.instances).toEqual([]);

      await watch.next((instances) => instances.length === 6, { timeoutMs: 5_000 });
      await eventually(() => expect(requests).toHaveLength(4), { timeoutMs: 10_000 });

      expect(hosts(watch.latest ?? [])).toEqual(six);
      expect(requests[1]).toMatch(
        /watch=1.*resourceVersion=211&allowWatchBookmarks=true&timeoutSeconds=\d{3} /,
      );
      // It was told of 221 by a bookmark, and goes on from there once the server has shown that it is not behind.
      expect(requests[2]).toContain('limit=1');
      expect(requests[3]).toContain('resourceVersion=221');
    },
  );

  it('a burst of events ends where it ended', async () => {
    const { url } = await replay(['02', '20']);
    const watch = await openWatch(openBackend({ url }));
    await eventually(() => expect(readyOf(watch.latest ?? [])).toEqual(six), { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it('a slice that gets another label is gone, and there when it gets the old one back', async () => {
    const { url } = await replay(['02', '11']);
    const watch = await openWatch(openBackend({ url }));
    await eventually(() => expect(hosts(watch.latest ?? [])).toEqual(six), { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it.each(['27', '35'])(
    'a revision that is too old, told as an event with status 200 (%s)',
    async (number) => {
      const { url, requests } = await replay(['01', number, '31', '10']);
      const watch = await openWatch(openBackend({ url }));
      await watch.next((instances) => instances.length === 6, { timeoutMs: 5_000 });
      await eventually(() => expect(requests[3]).toContain('resourceVersion=284'));
      expect(watch.snapshots).toHaveLength(2);
    },
  );

  it('a watch that is cut when its server is killed goes on where it was', async () => {
    const { url, requests } = await replay(['02', '29', '31', '10']);
    const watch = await openWatch(openBackend({ url }));
    await eventually(() => expect(requests[3]).toContain('resourceVersion=270'), { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it('the bookmark that ends initial events', async () => {
    const { url } = await replay(['01', '09', '22', '10']);
    const watch = await openWatch(openBackend({ url }));
    await watch.next((instances) => instances.length === 6, { timeoutMs: 5_000 });
  });

  it.each([
    ['12', /does not accept the credentials \(Unauthorized\)/],
    [
      '13',
      /user "system:anonymous" lacks the right to list endpointslices of API group discovery\.k8s\.io in the namespace "demo"; bind it to a Role in "demo" with the rule/,
    ],
    ['14', /user "nobody" lacks the right to list/],
  ])('a refusal (%s) is told as denied, with what is missing', async (number, message) => {
    const { url } = await replay([number, number]);
    const failure = await openBackend({ url, token: 's3cr3t' }).getInstances('web').catch(String);
    expect(failure).toMatch(message);
    expect(failure).toMatch(/^AccessDeniedError/);
  });

  it('a right to watch that is missing', async () => {
    const { url } = await replay(['02', '15']);
    const watch = await openWatch(openBackend({ url }));
    await eventually(() => expect(watch.end?.error).toBeInstanceOf(AccessDeniedError));
    expect(String(watch.end?.error)).toContain('lacks the right to watch');
  });

  it('too many requests: once more, after the pause', async () => {
    const { url } = await replay(['38', '02']);
    const startedAt = performance.now();
    expect(ids(await openBackend({ url, timeoutMs: 5_000 }).getInstances('web'))).toHaveLength(6);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  it.each([
    ['17', /answered 500 \(resourceVersion: Invalid value: "abc"/],
    ['26', /the revision is too old/],
    ['18', /wants a pause of [12] s/],
    ['32', /did not answer within 1000 ms/],
  ])('what may be over later (%s) is told as such', async (number, message) => {
    const { url } = await replay([number, number, number]);
    const failure = openBackend({ url }).getInstances('web');
    await expect(failure).rejects.toThrow(BackendUnavailableError);
    await expect(failure).rejects.toThrow(message);
  });
});
