import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { ConfigValidationError, describeValue, DiscoveryError, validate } from '../src/index.ts';
import { thrownBy } from './thrown-by.ts';

const portText = 'a port from 1 to 65535';
const schema = v.strictObject(
  {
    port: v.pipe(v.number(portText), v.minValue(1, portText)),
    redis: v.optional(
      v.strictObject({ url: v.number('a number'), password: v.number('a number') }, 'an object'),
    ),
    labels: v.optional(v.record(v.pipe(v.string(), v.maxLength(4, 'short keys')), v.string('a string'))),
  },
  'an object with a port',
);

describe('validate()', () => {
  it('returns what fits', () => {
    expect(validate('Server', schema, { port: 80 })).toEqual({ port: 80 });
  });

  it('throws an error that names the field, what was received and what is expected', () => {
    const error = thrownBy(() => validate('Server', schema, { port: 0 }));
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(error).toMatchObject({
      name: 'ConfigValidationError',
      code: 'ERR_SD_CONFIG',
      message: 'Server: "port" is 0, expected a port from 1 to 65535',
      field: 'port',
      received: '0',
      expected: portText,
    });
  });

  it('names every mistake, each by its path', () => {
    const error = thrownBy(() =>
      validate('Server', schema, { port: '80', redis: { url: true, password: 1 } }),
    );
    expect(error).toMatchObject({
      issues: [
        { field: 'port', received: '"80"', expected: portText },
        { field: 'redis.url', received: 'true', expected: 'a number' },
      ],
    });
  });

  it('calls each typo an unknown option, and says what there is', () => {
    const error = thrownBy(() => validate('Server', schema, { port: 80, prot: 80, hots: 'a' }));
    const [received, expected] = ['an unknown option', 'one of "port", "redis", "labels"'];
    expect(error).toMatchObject({
      issues: [
        { field: 'prot', received, expected },
        { field: 'hots', received, expected },
      ],
    });
  });

  it('says so of options within options too', () => {
    const error = thrownBy(() => validate('Server', schema, { port: 80, redis: { ulr: 1, passwrod: 2 } }));
    const [received, expected] = ['an unknown option', 'one of "url", "password"'];
    expect(error).toMatchObject({
      issues: [
        { field: 'redis.url', received: 'missing', expected: 'a number' },
        { field: 'redis.password', received: 'missing', expected: 'a number' },
        { field: 'redis.ulr', received, expected },
        { field: 'redis.passwrod', received, expected },
      ],
    });
  });

  it('says what is expected of one that is missing', () => {
    const error = thrownBy(() => validate('Server', schema, {}));
    expect(error).toMatchObject({ field: 'port', received: 'missing', expected: portText });
  });

  it.each([
    [undefined, 'missing'],
    [null, 'null'],
    ['redis', '"redis"'],
  ])('says that the whole value is %o', (value, received) => {
    const error = thrownBy(() => validate('Server', schema, value));
    expect(error).toMatchObject({ field: '', received, expected: 'an object with a port' });
    expect(error).toMatchObject({
      message: `Server: the value is ${received}, expected an object with a port`,
    });
  });

  it('shows the key, not its value, when the key is wrong', () => {
    const error = thrownBy(() => validate('Server', schema, { port: 80, labels: { longer: 'x' } }));
    expect(error).toMatchObject({ field: 'labels.longer', received: '"longer"', expected: 'short keys' });
  });

  it('escapes and shortens a path that is made of hostile keys', () => {
    const hostile = `\n\u001b[31m${'x'.repeat(100_000)}`;
    const error = thrownBy(() => validate('Server', schema, { port: 80, labels: { [hostile]: 'x' } }));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(String(error)).toMatch(/^[ -~]{1,400}$/);
  });

  it('does not show the value of a field that is named like a secret', () => {
    const options = { port: 80, redis: { url: 1, password: 'hunter2' } };
    const error = thrownBy(() => validate('Server', schema, options));
    expect(error).toMatchObject({ field: 'redis.password', received: '***' });
    expect(String(error)).not.toContain('hunter2');
  });

  it('tells one of another copy of a package from something else', () => {
    const copyOf = () =>
      class Store {
        readonly size = 0;
      };
    const [Store, OtherStore] = [copyOf(), copyOf()];
    const options = v.object({ store: v.instance(Store, 'a Store') });
    const mistake = (store: unknown): unknown => thrownBy(() => validate('Server', options, { store }));
    expect(mistake(new OtherStore())).toMatchObject({
      message:
        'Server: "store" is a Store of another copy of its package (npm ls shows them), expected a Store',
    });
    expect(mistake({})).toMatchObject({ message: 'Server: "store" is {}, expected a Store' });
    expect(mistake(new Store())).toBeUndefined();
  });

  it('still says that a secret is missing', () => {
    const error = thrownBy(() => validate('Server', v.object({ token: v.string('a token') }, 'a token'), {}));
    expect(error).toMatchObject({ field: 'token', received: 'missing' });
  });
});

describe('describeValue()', () => {
  it.each([
    [undefined, 'missing'],
    [null, 'null'],
    [true, 'true'],
    [70_000, '70000'],
    [Number.NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [10n, '10'],
    [Symbol('orders'), 'Symbol(orders)'],
    ['orders', '"orders"'],
    [() => 1, 'a function'],
    [Map, 'a function'],
    [['a', 1], '["a",1]'],
    [{ host: 'a' }, '{"host":"a"}'],
  ])('renders %o', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it('is never longer than 80 characters', () => {
    for (const value of ['x'.repeat(1_000), Array(1_000).fill(1), Symbol('x'.repeat(1_000)), 10n ** 1_000n]) {
      const text = describeValue(value);
      expect(text).toHaveLength(80);
      expect(text).toMatch(/\.\.\.$/);
    }
  });

  it.each([
    ['redis://alice:pw@host:6379', '"redis://***@host:6379"'],
    ['redis://:pw@host', '"redis://***@host"'],
    ['https://pw@host/path', '"https://***@host/path"'],
    ['redis://al%40ice:pw@host', '"redis://***@host"'],
    ['redis://alice:p@w@host', '"redis://***@host"'],
    ['redis://alice:p"w/\\ \n@host', '"redis://***@host"'],
    ['redis://a:pw@one,redis://b:pw@two', '"redis://***@two"'],
  ])('masks the credentials of %o', (url, text) => {
    expect(describeValue(url)).toBe(text);
    expect(describeValue([{ url }])).toBe(`[{"url":${text}}]`);
  });

  it.each(['http://10.0.0.1:8080/a', 'orders@eu', 'a@b //c', 'http://[::1]:80'])(
    'leaves %o as it is',
    (text) => {
      expect(describeValue(text)).toBe(JSON.stringify(text));
    },
  );

  it('masks what is named like a secret', () => {
    const value = { host: 'a', password: 'pw', auth: { apiKey: 'pw', secretKey: { pw: 1 } } };
    expect(describeValue(value)).toBe(
      '{"host":"a","password":"***","auth":{"apiKey":"***","secretKey":"***"}}',
    );
  });

  it('masks before it shortens', () => {
    expect(describeValue(`redis://alice:${'pw'.repeat(100)}@host`)).toBe('"redis://***@host"');
  });

  it('takes no longer for a hostile text than for another', () => {
    const startedAt = performance.now();
    describeValue('//a:'.repeat(100_000));
    describeValue(`@${'//a:'.repeat(100_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('never throws', () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const throwing = new Proxy(
      {},
      {
        get: () => {
          throw new Error('no');
        },
      },
    );
    let nested: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) nested = [nested];
    for (const value of [circular, throwing, nested, { big: 1n }])
      expect(describeValue(value)).toBe('an object');
    expect(describeValue({ toJSON: () => undefined })).toBe('an object');
    expect(describeValue(Object.create(null))).toBe('{}');
  });
});
