import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { RedisBackend } from '../src/index.ts';

describe('RedisBackend refuses', () => {
  it.each([
    [
      'a URL of something else',
      { url: 'http://localhost:6379' },
      'url',
      /"http:\/\/localhost:6379", expected a URL like/,
    ],
    ['a URL that is none', { url: 'localhost:6379' }, 'url', /expected a URL like "redis:\/\/localhost/],
    ['a URL without a host', { url: 'redis://' }, 'url', /expected a URL like/],
    ['a database that is no number', { url: 'redis://localhost/orders' }, 'url', /expected a URL like/],
    [
      'a scheme in capitals, which ioredis takes for one without TLS',
      { url: 'REDISS://localhost' },
      'url',
      /expected a URL like/,
    ],
    ['a URL with a query', { url: 'redis://localhost?keyPrefix=x' }, 'url', /expected a URL like/],
    ['a password that cannot be decoded', { url: 'redis://:100%@localhost' }, 'url', /expected a URL like/],
    ['a prefix with braces', { prefix: '{sd}:' }, 'prefix', /without "\{" and "\}"/],
    ['an empty prefix', { prefix: '' }, 'prefix', /1 to 128 visible ASCII/],
    ['a limit of nothing', { timeoutMs: 0 }, 'timeoutMs', /milliseconds from 50/],
    ['polls without a pause', { pollMs: 1 }, 'pollMs', /milliseconds from 100/],
    ['a client that is none', { client: {} }, 'client', /a client of ioredis/],
    [
      'a client of another library',
      { client: { duplicate: () => undefined } },
      'client',
      /a client of ioredis/,
    ],
    ['a keyPrefix of ioredis', { redis: { keyPrefix: 'x' } }, 'redis', /use the prefix of RedisBackend/],
    ['a Cluster without nodes', { cluster: { nodes: [] } }, 'cluster.nodes', /at least one node/],
    ['an option that does not exist', { urls: [] }, 'urls', /unknown option/],
    [
      'two places at once',
      { url: 'redis://a', cluster: { nodes: [{ host: 'b' }] } },
      '',
      /one of url .*cluster and client/,
    ],
  ])('%s', (_, options, field, message) => {
    const refusal = thrownBy(() => new RedisBackend(options as never));
    expect(refusal).toBeInstanceOf(ConfigValidationError);
    expect(refusal).toMatchObject({ field, message: expect.stringMatching(message) as unknown });
  });

  it('a client with a keyPrefix', () => {
    const client = new Redis({ lazyConnect: true, keyPrefix: 'x:' });
    expect(() => new RedisBackend({ client })).toThrow(/without a keyPrefix/);
  });

  it('a wrong URL without showing its password', () => {
    const refusal = thrownBy(() => new RedisBackend({ url: 'rediz://user:s3cret@host' }));
    expect(String(refusal)).not.toContain('s3cret');
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
