import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { servicesFromEnv, StaticBackend } from '../src/index.ts';

function mistakesOf(env: Readonly<Record<string, string>>): ConfigValidationError['issues'] {
  try {
    servicesFromEnv(env);
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.issues;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('environment variables', () => {
  it('are services, each with its URLs', async () => {
    const env = {
      ORDERS_URLS: 'http://10.0.0.1:8080,http://10.0.0.2:8080',
      USER_PROFILE_URLS: ' https://a.internal\n\thttps://b.internal, ',
      EMPTY_URLS: '',
      _URLS: 'not ours',
      PATH: '/usr/bin',
    };
    const backend = new StaticBackend({ env });
    expect(await backend.getInstances('orders')).toMatchObject([
      { id: 'orders-10.0.0.1-8080', protocol: 'http', registeredAt: 0 },
      { id: 'orders-10.0.0.2-8080' },
    ]);
    expect(await backend.getInstances('user-profile')).toMatchObject([
      { host: 'a.internal', port: 443, protocol: 'https' },
      { host: 'b.internal' },
    ]);
    expect(await backend.listServices()).toEqual(['orders', 'user-profile']);
    await backend.close();
  });

  it('may end otherwise, and be mixed with services given in code', async () => {
    const services = {
      ...servicesFromEnv({ ORDERS_AT: 'http://a:80' }, { suffix: '_AT' }),
      web: ['http://b:80'],
    };
    expect(services).toEqual({ orders: ['http://a:80'], web: ['http://b:80'] });
    expect(
      await new StaticBackend({ env: { ORDERS_AT: 'http://a:80' }, suffix: '_AT' }).listServices(),
    ).toEqual(['orders']);
  });

  it.each([
    [{ ORDERS_URLS: 'http://a:80,10.0.0.1:80' }, 'ORDERS_URLS.1', 'a URL such as "http://10.0.0.1:8080"'],
    [{ ORDERS_URLS: 'http://a:0' }, 'ORDERS_URLS.0.port', 'a whole number from 1 to 65535'],
    [{ ORDERS_URLS: 'http://a:80 http://a:80' }, 'ORDERS_URLS.1.id', 'an id of its own'],
    [{ __URLS: 'http://a:80' }, '__URLS', 'a name of 1 to 128 letters'],
    [{ A_B_URLS: 'http://a:80', 'A-B_URLS': 'http://b:80' }, 'A-B_URLS', 'one variable for each service'],
  ])('with a mistake are named: %j', (env, field, expected) => {
    expect(mistakesOf(env)).toMatchObject([
      { field, expected: expect.stringContaining(expected) as unknown },
    ]);
    expect(() => new StaticBackend({ env })).toThrow(ConfigValidationError);
  });

  it('never show a password', () => {
    const [issue] = mistakesOf({ ORDERS_URLS: 'http://bob:s3cr3t@a:80' });
    expect(JSON.stringify(issue)).not.toContain('s3cr3t');
  });

  it('never show a part of a password with a comma', () => {
    const issues = mistakesOf({ ORDERS_URLS: 'http://a:80,http://bob:s3,cr3t@b:80' });
    expect(issues).toEqual([
      {
        field: 'ORDERS_URLS',
        received: 'a URL with credentials',
        expected: 'a URL without user name and password',
      },
    ]);
  });

  it('are refused where they are no text', () => {
    const env = { A_URLS: null, B_URLS: ['http://b:80'] } as unknown as Record<string, string>;
    expect(mistakesOf(env)).toEqual([
      { field: 'A_URLS', received: 'null', expected: 'URLs in a string' },
      { field: 'B_URLS', received: '["http://b:80"]', expected: 'URLs in a string' },
    ]);
  });
});
