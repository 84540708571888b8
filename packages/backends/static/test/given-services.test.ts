import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { StaticBackend, type StaticInstance } from '../src/index.ts';

const knownFields =
  'one of "service", "id", "host", "port", "protocol", "version", "region", "zone", "weight", "priority", "tags", "metadata", "status", "registeredAt", "updatedAt"';
const knownOptions = 'one of "services", "file", "folder", "env", "suffix", "pollMs", "clock", "logger"';

const orders = async (...entries: readonly StaticInstance[]) =>
  new StaticBackend({ services: { orders: entries } }).getInstances('orders');

/** For what only JavaScript lets through. */
function mistakesOf(options: unknown): ConfigValidationError['issues'] {
  try {
    Reflect.construct(StaticBackend, [options]);
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.issues;
    throw error;
  }
  throw new Error('nothing was wrong');
}

const mistakesIn = (...entries: readonly unknown[]) => mistakesOf({ services: { orders: entries } });

describe('services given in code', () => {
  it('are served as written, with the defaults of an instance and no time of registration', async () => {
    expect(await orders({ host: '10.0.0.1', port: 8080, zone: 'eu-1', weight: 2, tags: ['canary'] })).toEqual(
      [
        {
          service: 'orders',
          id: 'orders-10.0.0.1-8080',
          host: '10.0.0.1',
          port: 8080,
          protocol: 'http',
          zone: 'eu-1',
          weight: 2,
          priority: 0,
          tags: ['canary'],
          metadata: {},
          status: 'healthy',
          registeredAt: 0,
          updatedAt: 0,
        },
      ],
    );
  });

  it.each([
    ['http://10.0.0.1:8080', 'http', '10.0.0.1', 8080],
    ['http://orders.internal', 'http', 'orders.internal', 80],
    ['http://orders.internal:80/', 'http', 'orders.internal', 80],
    ['https://orders.internal', 'https', 'orders.internal', 443],
    ['https://[2001:db8::1]:8443', 'https', '2001:db8::1', 8443],
    ['grpc://10.0.0.1:50051', 'grpc', '10.0.0.1', 50_051],
  ])('may be URLs: %s', async (url, protocol, host, port) => {
    expect(await orders(url)).toMatchObject([{ protocol, host, port }]);
  });

  it('are listed by name, and are empty where nothing was given', async () => {
    const backend = new StaticBackend({ services: { orders: ['http://10.0.0.1:8080'], payments: [] } });
    expect(await backend.listServices()).toEqual(['orders']);
    expect(await backend.getInstances('payments')).toEqual([]);
    expect(await backend.getInstances('invoices')).toEqual([]);
    expect(backend.malformed.count).toBe(0);
  });
});

describe('a mistake in services given in code', () => {
  it.each<[unknown, string, string, string]>([
    ['10.0.0.1:8080', '', '"10.0.0.1:8080"', 'a URL such as "http://10.0.0.1:8080"'],
    ['orders:8080', '', '"orders:8080"', 'a URL such as "http://10.0.0.1:8080"'],
    ['http://a:70000', '', '"http://a:70000"', 'a URL such as "http://10.0.0.1:8080"'],
    ['http://a:80/v1', '', '"http://a:80/v1"', 'a URL that ends after the port'],
    ['http://a:80?x=1', '', '"http://a:80?***"', 'a URL that ends after the port'],
    ['http://a:80#x', '', '"http://a:80#***"', 'a URL that ends after the port'],
    ['grpc://a', '', '"grpc://a"', 'a URL with a port, as its scheme has no default one'],
    ['http://secret:word@a:80', '', 'a URL with credentials', 'a URL without user name and password'],
    ['secret:word@a:80', '', 'a URL with credentials', 'a URL without user name and password'],
    ['http://a:0', '.port', '0', 'a whole number from 1 to 65535'],
    [{ host: 'a', port: 70_000 }, '.port', '70000', 'a whole number from 1 to 65535'],
    [{ host: 'a', port: 80, wieght: 2 }, '.wieght', 'an unknown option', knownFields],
    [{ host: 'a', port: 80, tags: ['x', 5] }, '.tags.1', '5', 'a tag of 1 to 256 characters'],
    [{ host: 'a', port: 80, service: 'payments' }, '.service', '"payments"', '"orders", or nothing'],
    [undefined, '', 'missing', 'a URL, or an object with host and port'],
    [['http://a:80'], '', '["http://a:80"]', 'a URL, or an object with host and port'],
  ])('names field, received and expected: %j', (entry, field, received, expected) => {
    expect(mistakesIn('http://10.0.0.1:80', entry)).toEqual([
      { field: `services.orders.1${field}`, received, expected },
    ]);
  });

  it('may be that a field is missing', () => {
    expect(mistakesIn({ host: 'a' })).toMatchObject([
      { field: 'services.orders.0.port', received: 'missing' },
    ]);
  });

  it('is the second of two instances with the same id', () => {
    expect(mistakesIn('http://10.0.0.1:80', { host: '10.0.0.1', port: 80 })).toEqual([
      { field: 'services.orders.1.id', received: '"orders-10.0.0.1-80"', expected: 'an id of its own' },
    ]);
  });

  it('is found beside others', () => {
    const services = { 'or/ders': [], payments: 'http://a:80', invoices: [{ host: '', port: 0 }, 5] };
    expect(mistakesOf({ services }).map(({ field }) => field)).toEqual([
      'services.or/ders',
      'services.payments',
      'services.invoices.0.host',
      'services.invoices.0.port',
      'services.invoices.1',
    ]);
  });

  it('is told in a message that says what to do', () => {
    expect(() => new StaticBackend({ services: { orders: [{ host: 'a', port: 70_000 }] } })).toThrow(
      'StaticBackend: "services.orders.0.port" is 70000, expected a whole number from 1 to 65535',
    );
  });
});

describe('a mistake in the options', () => {
  it.each<[unknown, string, string]>([
    [undefined, 'services', 'one of "services", "file", "folder", "env"'],
    [{}, 'services', 'one of "services", "file", "folder", "env"'],
    [{ services: {}, file: 'a.yaml' }, 'services', 'one of "services", "file", "folder", "env"'],
    [{ file: 'a.yaml', env: {} }, 'file', 'one of "services", "file", "folder", "env"'],
    [{ folder: '' }, 'folder', 'a path'],
    [{ env: 'PATH' }, 'env', 'environment variables'],
    [{ env: {}, suffix: '' }, 'suffix', 'how the names of variables end'],
    [{ services: [] }, 'services', 'an object of service names, each with an array of instances'],
    [{ file: '' }, 'file', 'a path'],
    [{ file: 'a.yaml', pollMs: 0 }, 'pollMs', 'milliseconds, more than 0'],
    [{ file: 'a.yaml', pollMs: Infinity }, 'pollMs', 'milliseconds, more than 0'],
    [{ file: 'a.yaml', clock: Date }, 'clock', 'a Clock'],
    [{ file: 'a.yaml', logger: {} }, 'logger', 'a DiscoveryLogger'],
    [{ file: 'a.yaml', pollMS: 5 }, 'pollMS', knownOptions],
  ])('names field and expected: %j', (options, field, expected) => {
    expect(mistakesOf(options)).toMatchObject([{ field, expected }]);
  });
});
