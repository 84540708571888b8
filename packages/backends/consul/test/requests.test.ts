import { describe, expect, it } from 'vitest';
import { AccessDeniedError, BackendUnavailableError } from '@sd/core';
import { eventually } from '@sd/testkit';
import { instance, openBackend, openWatch } from './open-backend.ts';
import { answerEmpty, recordingServer } from './recording-server.ts';

describe('what is asked of Consul', () => {
  it('says which datacenter, namespace, partition, order, filter and consistency', async () => {
    const { url, requests } = await recordingServer(answerEmpty);
    const backend = openBackend({
      url,
      token: 'geheim',
      datacenter: 'dc2',
      namespace: 'team-a',
      partition: 'part-b',
      near: '_agent',
      filter: 'Service.Port != 1',
      consistency: 'stale',
    });
    await backend.getInstances('orders');
    expect(requests).toEqual([
      {
        method: 'GET',
        path: '/v1/health/service/orders',
        query: {
          dc: 'dc2',
          ns: 'team-a',
          partition: 'part-b',
          near: '_agent',
          filter: 'Service.Port != 1',
          stale: '1',
        },
        token: 'geheim',
      },
    ]);

    await backend.register(instance(1), { ttl: 60_000 });
    await backend.listServices();
    const tenant = { ns: 'team-a', partition: 'part-b' };
    for (const { path, query } of requests) expect(query, path).toMatchObject(tenant);
    expect(requests.map(({ path }) => path)).toContain('/v1/agent/service/register');
  });

  it('is consistent where a watch begins, as a new leader answers from the past, and waits after that', async () => {
    const { url, requests } = await recordingServer(answerEmpty);
    await openWatch(openBackend({ url, waitMs: 250 }));
    await eventually(() => expect(requests.length).toBeGreaterThan(2));
    expect(requests[0]?.query).toEqual({ consistent: '1' });
    expect(requests[1]?.query).toEqual({ index: '7', wait: '250ms' });
  });

  it('goes through a proxy that wants a path', async () => {
    const { url, requests } = await recordingServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
    });
    await openBackend({ url: `${url}/consul` }).getInstances('orders');
    expect(requests[0]?.path).toBe('/consul/v1/health/service/orders');
  });

  it('fails at once when an answer is cut off, is no JSON, or is not of Consul', async () => {
    let cut: 'body' | 'json' | 'shape' = 'body';
    const { url } = await recordingServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '20' });
      if (cut === 'body') response.write('[{', () => response.destroy());
      else response.end((cut === 'json' ? '[{"Node":' : '{"errors":[]}').padEnd(20));
    });
    const backend = openBackend({ url, timeoutMs: 60_000 });
    for (const how of ['body', 'json', 'shape'] as const) {
      cut = how;
      await expect(backend.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
    }
  });

  it('is denied where a newer Consul says that the token does not see the service', async () => {
    const { url } = await recordingServer((_, response) => {
      const headers = { 'content-type': 'application/json', 'x-consul-results-filtered-by-acls': 'true' };
      response.writeHead(200, headers).end('[]');
    });
    const denied = openBackend({ url }).getInstances('orders');
    await expect(denied).rejects.toThrow(AccessDeniedError);
    await expect(denied).rejects.toThrow(/service "orders" \{ policy = "read" \}/);
  });

  it('takes an unknown check for a registration that is lost, in the words of old and new versions', async () => {
    for (const [status, text] of [
      [500, 'CheckID "x" does not have associated TTL'],
      [404, 'Unknown check ID "x". Ensure that the check ID is passed, not the check name.'],
    ] as const) {
      const { url } = await recordingServer((path, response) => {
        if (path.startsWith('/v1/agent/check/pass')) response.writeHead(status).end(text);
        else answerEmpty(path, response);
      });
      const lease = await openBackend({ url }).register(instance(1), { ttl: 300 });
      await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'deleted' }));
    }
  });
});
